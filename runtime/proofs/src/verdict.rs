//! The verdict: what a bundle shows, axis by axis, and never a bare boolean.
//!
//! [`verify`] is a pure function of a [`Bundle`] and of what the auditor brings along, [`Expectations`]. It is total: it
//! never panics, and its work is bounded by the bundle's size. The node, the command line and an auditor years later all
//! call it, and `runtime/SPECIFICATION.md` describes it step by step for a second implementation.
//!
//! ```text
//! checkpoint genesis, validators, changes, past blocks       → finality
//! statement  blocks, transaction, content                  → bounds, integrity
//! evidence   state proofs at the checkpoint                  (what the ledger says about the device)
//! judgement  key, device, authority, stream, later, present
//! ```
//!
//! The first three stop at the first thing that is wrong, because nothing after it would mean anything; the axes that were
//! not reached stay `None`. The judgement looks at everything.
//!
//! The three outcomes are those of [`Outcome`]. The invariant: `VALID` is given only if there is no [`Reason`] against it,
//! and no input to an axis changes when the ledger grows, apart from doubt that its participants add later
//! (`suspect_since`, or trust in a lot that ends) and from what is said of the checkpoint itself: finality, how far the
//! stream reached, [`Verdict::later`] and [`present`](field@Verdict::present).

mod axes;
mod display;
mod evidence;
mod expectations;
mod gaps;
pub(crate) mod history;
mod judgement;
mod later;
mod present;
mod reason;
mod statement;

use cairn_types::{ChainId, OrganizationId};

pub use axes::{
    Authority, BlockPoint, Bounds, Device, DeviceStanding, Endorsement, EndorsementTrust, Finality, FreshnessStanding,
    Integrity, Key, KeyEpoch, KeyStanding, OrganizationName, Signer, Silence, Statement, Stream, StreamStanding,
    TrustedStanding,
};
pub use expectations::{ContentEvidence, Expectations, Freshness};
pub use gaps::{Gap, gaps};
pub use later::{Later, LaterEvent};
pub use present::{Live, Present, PresentAuthority, PresentKey, PresentStream};
pub use reason::{Outcome, PastBlockName, Reason, Subject};

use crate::bundle::Bundle;
use crate::checkpoint;

/// What the judgement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The three-valued summary: the gravest of the reasons, or [`Outcome::Valid`] if there is none.
    pub outcome: Outcome,
    /// Everything that stands against `VALID`.
    pub reasons: Vec<Reason>,
    /// The network for which the bundle was judged, as the auditor named it.
    pub chain: ChainId,
    /// The attestation itself; `None` if the bundle does not show that the ledger holds one.
    pub statement: Option<Statement>,
    /// Whether the content is what the device signed.
    pub integrity: Option<Integrity>,
    /// Between which blocks it was said.
    pub bounds: Option<Bounds>,
    /// The checkpoint on which everything rests.
    pub finality: Option<Finality>,
    /// Whether the key spoke for the device.
    pub key: Option<Key>,
    /// Status, owner and place of the device at the time.
    pub device: Option<Device>,
    /// Whether the device was entitled.
    pub authority: Option<Authority>,
    /// Where the attestation stands in its stream.
    pub stream: Option<Stream>,
    /// What happened afterwards, up to the checkpoint.
    pub later: Option<Vec<Later>>,
    /// How the same would stand at the checkpoint. It changes no outcome.
    pub present: Option<Present>,
    /// Names of the organizations that the axes mention, ascending by id.
    pub organizations: Vec<OrganizationName>,
}

impl Verdict {
    fn new(chain: ChainId) -> Self {
        Self {
            outcome: Outcome::Valid,
            reasons: Vec::new(),
            chain,
            statement: None,
            integrity: None,
            bounds: None,
            finality: None,
            key: None,
            device: None,
            authority: None,
            stream: None,
            later: None,
            present: None,
            organizations: Vec::new(),
        }
    }

    /// The name of an organization, if the bundle shows it.
    pub fn organization(&self, id: &OrganizationId) -> Option<&OrganizationName> {
        self.organizations.iter().find(|organization| organization.id == *id)
    }

    fn hold_against(&mut self, reason: Reason) {
        self.outcome = self.outcome.max(reason.outcome());
        self.reasons.push(reason);
    }
}

/// Judges a bundle. Total and pure; its work is bounded by the bundle's size.
pub fn verify(bundle: &Bundle, expectations: &Expectations) -> Verdict {
    let mut verdict = Verdict::new(expectations.genesis);
    if let Err(reason) = establish(bundle, expectations, &mut verdict) {
        verdict.hold_against(reason);
    }
    verdict
}

/// Judges the bytes of a file. Bytes that are not a bundle are INVALID, like a bundle in which something is wrong.
pub fn verify_bytes(bytes: &[u8], expectations: &Expectations) -> Verdict {
    match Bundle::decode(bytes) {
        Ok(bundle) => verify(&bundle, expectations),
        Err(error) => {
            let mut verdict = Verdict::new(expectations.genesis);
            verdict.hold_against(Reason::NotABundle(error));
            verdict
        }
    }
}

/// Runs the steps in order; an error ends them.
fn establish(bundle: &Bundle, expectations: &Expectations, verdict: &mut Verdict) -> Result<(), Reason> {
    let mut finality = checkpoint::establish(&bundle.finality, &expectations.genesis)?;
    history::establish(bundle, &expectations.genesis)?;
    let (trusted, distrust) = history::connect(history::proven(bundle), expectations.trusted.as_ref());
    let (freshness, age) = checkpoint::freshness(&bundle.finality.checkpoint, expectations.freshness.as_ref());
    (finality.trusted, finality.freshness) = (trusted, freshness);
    verdict.finality = Some(finality);
    distrust.into_iter().chain(age).for_each(|reason| verdict.hold_against(reason));

    let statement = statement::establish(bundle, &expectations.genesis)?;
    verdict.bounds = Some(statement.bounds.clone());
    verdict.statement = Some(statement.public.clone());
    let integrity = Integrity::of(&statement.attest.content, expectations.content.as_ref());
    integrity.reason().into_iter().for_each(|reason| verdict.hold_against(reason));
    verdict.integrity = Some(integrity);

    let evidence = evidence::establish(bundle, &statement)?;
    verdict.organizations.clone_from(&evidence.organizations);
    judgement::judge(&statement, &evidence, bundle, verdict);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
