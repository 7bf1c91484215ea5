//! A provenance graph as a document: W3C PROV-JSON (w3.org/submissions/prov-json) or Graphviz.
//!
//! Attestations are entities, devices and organizations agents. In PROV a device acts on behalf of its owner.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::views::{TraceEdge, TraceFormat, TraceNode, TraceRelation};

/// The namespace of the identifiers in PROV-JSON.
const NAMESPACE: &str = "urn:cairn:";

pub(super) fn write(format: TraceFormat, nodes: &[TraceNode], edges: &[TraceEdge]) -> Value {
    match format {
        TraceFormat::Prov => prov(nodes, edges),
        TraceFormat::Dot => Value::String(dot(nodes, edges)),
    }
}

/// The name by which edges call a node.
pub(super) fn name(node: &TraceNode) -> String {
    match node {
        TraceNode::Attestation(attestation) => format!("{}/{}", attestation.stream, attestation.sequence),
        TraceNode::Device(id) => id.to_string(),
        TraceNode::Organization(id) => id.to_string(),
    }
}

fn prov(nodes: &[TraceNode], edges: &[TraceEdge]) -> Value {
    let call = |name: &str| format!("cairn:{name}");
    let (mut entities, mut agents) = (Map::new(), Map::new());
    for node in nodes {
        match node {
            TraceNode::Attestation(attestation) => {
                let facts = json!({
                    "cairn:id": attestation.id,
                    "cairn:content": attestation.content.hash,
                    "cairn:bytes": attestation.content.bytes,
                    "cairn:readings": attestation.content.readings,
                    "cairn:position": format!("{}/{}", attestation.position.height, attestation.position.index),
                    "cairn:timeMs": attestation.time_ms,
                });
                entities.insert(call(&name(node)), facts);
            }
            TraceNode::Device(_) => {
                agents.insert(call(&name(node)), json!({ "prov:type": "cairn:Device" }));
            }
            TraceNode::Organization(_) => {
                agents.insert(call(&name(node)), json!({ "prov:type": "prov:Organization" }));
            }
        }
    }
    let (mut derived, mut attributed, mut delegated) = (Map::new(), Map::new(), Map::new());
    for (number, edge) in edges.iter().enumerate() {
        let (from, to, id) = (call(&edge.from), call(&edge.to), format!("_:e{number}"));
        match edge.relation {
            TraceRelation::DerivedFrom => {
                derived.insert(id, json!({ "prov:generatedEntity": from, "prov:usedEntity": to }))
            }
            TraceRelation::AttributedTo => attributed.insert(id, json!({ "prov:entity": from, "prov:agent": to })),
            TraceRelation::OwnedBy => delegated.insert(id, json!({ "prov:delegate": from, "prov:responsible": to })),
        };
    }
    json!({
        "prefix": { "cairn": NAMESPACE },
        "entity": entities,
        "agent": agents,
        "wasDerivedFrom": derived,
        "wasAttributedTo": attributed,
        "actedOnBehalfOf": delegated,
    })
}

/// The first digits of an identifier, enough to tell a graph's nodes apart by eye.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn dot(nodes: &[TraceNode], edges: &[TraceEdge]) -> String {
    // Names are hexadecimal digits and slashes, so nothing needs escaping. Writing to a String never fails.
    let mut text = String::from("digraph provenance {\n  rankdir=LR;\n");
    for node in nodes {
        let name = name(node);
        let (shape, label) = match node {
            TraceNode::Attestation(attestation) => ("ellipse", format!("{} #{}", short(&name), attestation.sequence)),
            TraceNode::Device(_) => ("box", format!("device {}", short(&name))),
            TraceNode::Organization(_) => ("house", format!("organization {}", short(&name))),
        };
        let _ = writeln!(text, "  \"{name}\" [shape={shape}, label=\"{label}\"];");
    }
    for TraceEdge { from, relation, to } in edges {
        let label = match relation {
            TraceRelation::DerivedFrom => "derived from",
            TraceRelation::AttributedTo => "said by",
            TraceRelation::OwnedBy => "owned by",
        };
        let _ = writeln!(text, "  \"{from}\" -> \"{to}\" [label=\"{label}\"];");
    }
    text.push_str("}\n");
    text
}
