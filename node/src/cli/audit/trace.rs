//! `cairn audit trace`: where an attestation comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cairn_rpc::views::{AttestationSelector, AttestationView, Text, TraceFormat, TraceNode, TraceRelation, TraceView};
use cairn_types::Position;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::super::connect::{Connection, NodeArgs, OrganizationNames};
use super::super::output::{Report, counted, time};
use super::super::verify::paint::{Paint, harmless, short, thousands};
use super::place;

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The attestation: its transaction's id, or STREAM/SEQUENCE.
    #[arg(value_name = "TX|STREAM/SEQ")]
    attestation: Text<AttestationSelector>,
    /// Generations of derivation, up to 64; 8 if left out.
    #[arg(long)]
    depth: Option<u32>,
    /// Print the graph as a document instead.
    #[arg(long)]
    format: Option<Format>,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// A document that holds the graph.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// W3C PROV-JSON.
    Prov,
    /// Graphviz: pipe it into `dot -Tsvg`.
    Dot,
}

impl Trace {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let format = self.format.map(|format| match format {
            Format::Prov => TraceFormat::Prov,
            Format::Dot => TraceFormat::Dot,
        });
        let answer = connection.client.audit_trace(self.attestation, self.depth, format, None).await?;
        let text = match &answer.value.document {
            Some(Value::String(text)) => text.clone(),
            Some(document) => format!("{document:#}"),
            None => in_words(&answer.value, &connection.organization_names().await?, Paint::of_stdout()),
        };
        Report::new(&answer, text)
    }
}

/// What an owner is called. The edge comes from the node, so it may be anything.
fn owner_name(id: &str, names: &OrganizationNames) -> String {
    id.parse().map_or_else(|_| harmless(id), |id| names.of(&id))
}

/// The graph as a tree: each attestation once, its sources below it.
fn in_words(trace: &TraceView, names: &OrganizationNames, paint: Paint) -> String {
    let attestations: BTreeMap<String, &AttestationView> = trace
        .nodes
        .iter()
        .filter_map(|node| match node {
            TraceNode::Attestation(one) => Some((place(one).to_string(), one.as_ref())),
            TraceNode::Device(_) | TraceNode::Organization(_) => None,
        })
        .collect();
    let targets = |from: &str, relation: TraceRelation| -> Vec<&String> {
        let edges = trace.edges.iter().filter(|edge| edge.from == from && edge.relation == relation);
        edges.map(|edge| &edge.to).collect()
    };
    let mut text = String::new();
    let mut shown = BTreeSet::new();
    let mut open = vec![(trace.root.to_string(), 0_usize)];
    while let Some((name, depth)) = open.pop() {
        let indent = "   ".repeat(depth);
        let lead = if depth == 0 { String::new() } else { format!("{}└─ ", "   ".repeat(depth.saturating_sub(1))) };
        let again = !shown.insert(name.clone());
        let (title, rest) = match attestations.get(&name) {
            None => (name, paint.dim("beyond what was asked for")),
            Some(_) if again => (name, paint.dim("shown above")),
            Some(one) => {
                let content = &one.content;
                let (bytes, readings) = (thousands(content.bytes.0), counted(content.readings.0, "reading"));
                let said = format!(
                    "{bytes} bytes, {readings}, final at {}, {}",
                    Position::from(one.position),
                    time(one.time_ms.0)
                );
                let device = one.device.to_string();
                let owners: Vec<String> =
                    targets(&device, TraceRelation::OwnedBy).into_iter().map(|id| owner_name(id, names)).collect();
                let by = format!("by device {}, owned by {}", short(&device), owners.join(", then "));
                let sources = targets(&name, TraceRelation::DerivedFrom);
                // The stack turns the order round, so that the first source is shown first.
                open.extend(sources.into_iter().rev().map(|source| (source.clone(), depth.saturating_add(1))));
                (name, format!("{said}\n{indent}{}", paint.dim(&by)))
            }
        };
        let _ = writeln!(text, "{lead}{}\n{indent}{rest}", paint.bold(&harmless(&title)));
    }
    if trace.truncated {
        text.push_str("more lies beyond: ask with a greater --depth\n");
    }
    text
}
