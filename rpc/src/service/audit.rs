//! `audit`: where data comes from, whether it is to be believed, and a file to take along.

use std::collections::{BTreeSet, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use cairn_proofs::verdict::{Expectations, Freshness, verify_bytes};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{AttestationRef, DeviceId, Height, Interval, OrganizationId, Position};
use jsonrpsee::core::async_trait;

use super::locate::Attestation;
use super::state::{Records, read};
use super::{Service, trace_document};
use crate::api::AuditApiServer;
use crate::backend::{Backend, View};
use crate::error::CallError;
use crate::limits::{TRACE_ATTESTATIONS_MAX, TRACE_DEPTH_DEFAULT, TRACE_DEPTH_MAX};
use crate::views::{
    At, AttestationSelector, BundleView, ContentEvidenceView, Text, TraceEdge, TraceFormat, TraceNode, TraceRelation,
    TraceView, VerdictView,
};

/// A graph that grows from an attestation.
struct Trace<'a> {
    view: &'a View,
    /// As of which height it is drawn.
    at: Option<Height>,
    attestations: Vec<TraceNode>,
    devices: BTreeSet<DeviceId>,
    owners: BTreeSet<OrganizationId>,
    edges: BTreeSet<TraceEdge>,
}

impl Trace<'_> {
    fn edge(&mut self, from: &impl ToString, relation: TraceRelation, to: &impl ToString) {
        self.edges.insert(TraceEdge { from: from.to_string(), relation, to: to.to_string() });
    }

    fn add(&mut self, attestation: &Attestation) -> Result<(), CallError> {
        let place = attestation.place();
        let device = attestation.device;
        self.edge(&place, TraceRelation::AttributedTo, &device);
        for source in &attestation.attest.derived_from {
            self.edge(&place, TraceRelation::DerivedFrom, source);
        }
        if let Some(owner) = self.owner_at(&device, attestation.located.position)? {
            self.edge(&device, TraceRelation::OwnedBy, &owner);
            self.owners.insert(owner);
        }
        self.devices.insert(device);
        let view = attestation.view(Records(&self.view.state), self.at)?;
        self.attestations.push(TraceNode::Attestation(Box::new(view)));
        Ok(())
    }

    /// Who owned a device at a position. A device changes hands seldom, so its owners are few.
    fn owner_at(&self, device: &DeviceId, position: Position) -> Result<Option<OrganizationId>, CallError> {
        for (_, value) in self.view.state.prefix(&state_key::device_facet(device, DeviceFacet::Owner)) {
            let interval: Interval<OrganizationId> = read(value)?;
            if interval.contains(position) {
                return Ok(Some(interval.value));
            }
        }
        Ok(None)
    }
}

impl<B: Backend> Service<B> {
    /// An attestation, its encoded bundle, and the height of the bundle.
    fn bundle_of(
        &self,
        selector: &Text<AttestationSelector>,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<(Attestation, Vec<u8>, Height), CallError> {
        let attestation = self.find(selector, at)?;
        // Named here, so that the answer tells the height of the bundle, whatever becomes final meanwhile.
        let at = at.unwrap_or_else(|| self.latest());
        let bundle = self.backend.bundle(attestation.located.position, anchor, Some(at))?;
        let bundle = bundle.ok_or_else(|| self.attestation_unknown(selector))?;
        Ok((attestation, bundle, at))
    }
}

#[async_trait]
impl<B: Backend> AuditApiServer for Service<B> {
    fn trace(
        &self,
        attestation: Text<AttestationSelector>,
        depth: Option<u32>,
        format: Option<TraceFormat>,
        at: Option<Text<Height>>,
    ) -> Result<At<TraceView>, CallError> {
        let depth = depth.unwrap_or(TRACE_DEPTH_DEFAULT);
        if depth > TRACE_DEPTH_MAX {
            return Err(CallError::parameter("depth", format_args!("{depth}, but at most {TRACE_DEPTH_MAX}")));
        }
        let at = self.as_of(at)?;
        let first = self.find(&attestation, at)?;
        // Read after the attestation was found, so that the state knows it.
        let view = self.view(None)?;
        let root = first.place();
        let mut trace = Trace {
            view: &view,
            at,
            attestations: Vec::new(),
            devices: BTreeSet::new(),
            owners: BTreeSet::new(),
            edges: BTreeSet::new(),
        };
        let mut seen: BTreeSet<AttestationRef> = BTreeSet::from([root]);
        let mut waiting: VecDeque<(AttestationRef, u32)> = VecDeque::from([(root, 0)]);
        let mut truncated = false;
        while let Some((place, generation)) = waiting.pop_front() {
            let found = match self.attestation_in(&place) {
                // It stands in a block that is not kept here: the graph goes on where this node cannot see.
                Err(CallError::BlockPruned { .. }) => None,
                found => found?,
            };
            let Some(found) = found else {
                if self.first_kept().is_none() {
                    let reason = "its index lacks an attestation that another was derived from";
                    return Err(CallError::Internal { reason });
                }
                truncated = true;
                continue;
            };
            trace.add(&found)?;
            for source in &found.attest.derived_from {
                if seen.contains(source) {
                    continue;
                }
                if generation == depth || seen.len() == TRACE_ATTESTATIONS_MAX {
                    truncated = true;
                    continue;
                }
                seen.insert(*source);
                waiting.push_back((*source, generation + 1));
            }
        }
        let Trace { attestations: mut nodes, devices, owners, edges, .. } = trace;
        nodes.extend(devices.into_iter().map(|id| TraceNode::Device(Text(id))));
        nodes.extend(owners.into_iter().map(|id| TraceNode::Organization(Text(id))));
        let edges: Vec<TraceEdge> = edges.into_iter().collect();
        let document = format.map(|format| trace_document::write(format, &nodes, &edges));
        let answer = TraceView { root: Text(root), nodes, edges, truncated, document };
        Ok(At::new(at.unwrap_or(view.header.height), answer))
    }

    fn verdict(
        &self,
        attestation: Text<AttestationSelector>,
        content: Option<ContentEvidenceView>,
        age_max_ms: Option<Text<u64>>,
        at: Option<Text<Height>>,
    ) -> Result<At<VerdictView>, CallError> {
        let (_, bundle, _) = self.bundle_of(&attestation, None, self.as_of(at)?)?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let expectations = Expectations {
            genesis: self.backend.chain(),
            content: content.map(Into::into),
            trusted: None,
            freshness: age_max_ms.map(|Text(age_max_ms)| Freshness { now_ms, age_max_ms }),
        };
        let verdict = verify_bytes(&bundle, &expectations);
        let height = verdict.finality.as_ref().map_or_else(|| self.latest(), |finality| finality.checkpoint.height);
        Ok(At::new(height, VerdictView::from(&verdict)))
    }

    fn bundle(
        &self,
        attestation: Text<AttestationSelector>,
        anchor: Option<Text<Height>>,
        at: Option<Text<Height>>,
    ) -> Result<At<BundleView>, CallError> {
        let at = self.as_of(at)?;
        let (attestation, bundle, height) = self.bundle_of(&attestation, anchor.map(|Text(height)| height), at)?;
        let answer = BundleView {
            attestation: Text(attestation.place()),
            id: Text(attestation.transaction.id()),
            bytes: u32::try_from(bundle.len()).unwrap_or(u32::MAX),
            bundle: Text(bundle),
        };
        Ok(At::new(height, answer))
    }
}
