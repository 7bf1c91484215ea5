//! Provenance: what an attestation was derived from, who said it and whose it was.

use cairn_types::{AttestationRef, DeviceId, OrganizationId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stream::AttestationView;
use super::text::Text;

/// In which form a trace is wanted beside its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TraceFormat {
    /// W3C PROV-JSON.
    Prov,
    /// Graphviz.
    Dot,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TraceNode {
    /// Data that was attested (an entity).
    Attestation(Box<AttestationView>),
    /// The device that said it (an agent).
    Device(Text<DeviceId>),
    /// An organization that owned a device then (an agent).
    Organization(Text<OrganizationId>),
}

/// What one node is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TraceRelation {
    /// An attestation was derived from another.
    DerivedFrom,
    /// An attestation is a device's word.
    AttributedTo,
    /// A device was an organization's when it spoke.
    OwnedBy,
}

/// An edge of the graph. Attestations are named by `stream/sequence`, devices and organizations by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TraceEdge {
    /// Where it begins.
    pub from: String,
    /// What the beginning is to the end.
    pub relation: TraceRelation,
    /// Where it ends.
    pub to: String,
}

/// The graph of where an attestation comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceView {
    /// The attestation that was asked about.
    pub root: Text<AttestationRef>,
    /// Attestations, the nearest first, then devices and organizations.
    pub nodes: Vec<TraceNode>,
    /// What they are to each other.
    pub edges: Vec<TraceEdge>,
    /// Whether more lies beyond the depth or the size that was allowed.
    pub truncated: bool,
    /// The graph in the format asked for: an object of PROV-JSON, or a string for Graphviz.
    pub document: Option<serde_json::Value>,
}
