//! Verdicts over a history: an auditor who has one file is told what the list says, and a later file tells nothing else
//! of what was.

use cairn_proofs::verdict::{
    Authority, ContentEvidence, Expectations, Integrity, KeyStanding, Outcome, PresentAuthority, StreamStanding,
    Verdict, verify_bytes,
};
use cairn_tests::oracle::{Hindsight, Now, Oracle, Right};
use cairn_types::{Call, Content, Height, Position, encode};

use crate::ledger::Ledger;
use crate::random::Random;

/// What one history showed.
#[derive(Default)]
pub(crate) struct Verdicts {
    /// Verdicts that were given, with the checkpoint and the place of the attestation.
    given: Vec<(Height, Position, Verdict)>,
}

fn attestations(oracle: &Oracle) -> Vec<(Position, Content)> {
    let attestations = oracle.events().iter().filter_map(|event| match event.call() {
        Call::Attest(call) => Some((event.position, call.content)),
        _ => None,
    });
    attestations.collect()
}

impl Verdicts {
    /// Judges one of the attestations so far, with the last block as its checkpoint.
    pub(crate) fn judge_one(&mut self, ledger: &Ledger, oracle: &Oracle, random: &mut Random) {
        let attestations = attestations(oracle);
        if attestations.is_empty() {
            return;
        }
        let (position, content) = *random.pick(&attestations);
        self.judge(ledger, oracle, position, content);
    }

    /// Judges every attestation that was judged before, and some others; nothing that was said of the past may change.
    pub(crate) fn judge_again(&mut self, ledger: &Ledger, oracle: &Oracle) {
        let earlier = std::mem::take(&mut self.given);
        let attestations = attestations(oracle);
        for (checkpoint, position, before) in &earlier {
            let (_, content) = attestations.iter().find(|(at, _)| at == position).expect("it was final");
            let after = self.judge(ledger, oracle, *position, *content);
            check_growth(*checkpoint, before, &after);
        }
    }

    fn judge(&mut self, ledger: &Ledger, oracle: &Oracle, position: Position, content: Content) -> Verdict {
        let checkpoint = ledger.headers.last().expect("block 0 is there").height;
        let bundle = encode(&ledger.bundle(position));
        let expectations = Expectations {
            genesis: ledger.chain,
            content: Some(ContentEvidence { form: content.form, hash: content.hash, bytes: content.bytes }),
            trusted: None,
            freshness: None,
        };
        let verdict = verify_bytes(&bundle, &expectations);
        let time_ms = |height: Height| ledger.headers[usize::try_from(height.get()).expect("few")].time_ms;
        let expected = oracle.hindsight(position, checkpoint, time_ms);
        check(&verdict, &expected, &format!("of {position}, at checkpoint {checkpoint}"));
        self.given.push((checkpoint, position, verdict.clone()));
        verdict
    }

    /// How often each standing was given.
    pub(crate) fn standings(&self) -> Vec<&'static str> {
        let mut standings = Vec::new();
        for (.., verdict) in &self.given {
            standings.push(match verdict.outcome {
                Outcome::Valid => "VALID",
                Outcome::Invalid => "INVALID",
                Outcome::Incomplete => "INCOMPLETE",
            });
            standings.extend(verdict.key.as_ref().map(|key| match key.standing {
                KeyStanding::Held => "key held",
                KeyStanding::HeldAtInclusion => "key held at inclusion",
                KeyStanding::Suspect { .. } => "key suspect",
                KeyStanding::NotHeld => "key not held",
            }));
            standings.extend(verdict.authority.as_ref().map(|authority| match authority {
                Authority::Held { .. } => "authority held",
                Authority::Indeterminate { .. } => "authority indeterminate",
                Authority::Suspect { .. } => "authority suspect",
                Authority::NotHeld { .. } => "authority not held",
            }));
            standings.extend(verdict.stream.as_ref().map(|stream| match stream.standing {
                StreamStanding::Complete => "stream complete",
                StreamStanding::Continued { .. } => "stream continued",
                StreamStanding::Forked { .. } => "stream forked",
                StreamStanding::Contradicts => "stream contradicts",
            }));
        }
        standings
    }
}

/// Every axis is as the list says.
fn check(verdict: &Verdict, expected: &Hindsight, what: &str) {
    assert!(verdict.finality.is_some(), "{what}: {:?}", verdict.reasons);
    assert!(matches!(verdict.integrity, Some(Integrity::Matches { .. })), "{what}");
    assert_eq!(verdict.key.as_ref(), Some(&expected.key), "key {what}");
    assert_eq!(verdict.device.as_ref(), Some(&expected.device), "device {what}");
    let (path, right) = match verdict.authority.as_ref().expect("the axis is reached") {
        Authority::Held { path } => (path, Right::Held),
        Authority::Indeterminate { path, since, .. } => (path, Right::Since(*since)),
        Authority::Suspect { path, grant, since } => (path, Right::Suspect(*grant, *since)),
        Authority::NotHeld { path, .. } => (path, Right::NotHeld),
    };
    assert_eq!(right, expected.right, "authority {what}");
    assert_eq!(*path, expected.path, "path {what}");
    assert_eq!(verdict.stream.as_ref(), Some(&expected.stream), "stream {what}");
    assert_eq!(verdict.later.as_ref(), Some(&expected.later), "later {what}");
    let present = verdict.present.as_ref().expect("the axis is reached");
    let now = Now {
        position: present.position,
        key: present.key,
        status: present.status,
        owner: present.owner,
        zone: present.zone.clone(),
        right: match present.authority {
            PresentAuthority::Held => Right::Held,
            PresentAuthority::Suspect { grant, since } => Right::Suspect(grant, since),
            PresentAuthority::NotHeld { .. } => Right::NotHeld,
        },
        stream: present.stream,
        superseded: present.superseded,
        recovery: present.recovery,
        offered_to: present.offered_to,
    };
    assert_eq!(now, expected.now, "present {what}");
    let mut reasons: Vec<&str> = verdict.reasons.iter().map(cairn_proofs::verdict::Reason::name).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, expected.reasons, "reasons {what}");
    let outcome = if reasons.is_empty() { Outcome::Valid } else { Outcome::Incomplete };
    assert_eq!(verdict.outcome, outcome, "outcome {what}");
}

/// No input to a verdict known at a checkpoint changes when the ledger grows past it: of what was, only doubt is added.
fn check_growth(checkpoint: Height, before: &Verdict, after: &Verdict) {
    let what = format!("of {:?}, since checkpoint {checkpoint}", before.bounds.as_ref().map(|bounds| bounds.position));
    assert_eq!(before.statement, after.statement, "{what}");
    assert_eq!(before.integrity, after.integrity, "{what}");
    assert_eq!(before.bounds, after.bounds, "{what}");
    let (key, key_after) = (before.key.as_ref().expect("reached"), after.key.as_ref().expect("reached"));
    if !matches!(key_after.standing, KeyStanding::Suspect { .. }) {
        assert_eq!(key.standing, key_after.standing, "{what}");
    }
    let (epoch, epoch_after) = (key.epoch.as_ref().expect("held"), key_after.epoch.as_ref().expect("held"));
    assert_eq!((epoch.key, epoch.from), (epoch_after.key, epoch_after.from), "{what}");
    let (device, device_after) = (before.device.as_ref().expect("reached"), after.device.as_ref().expect("reached"));
    assert_eq!(device.standing, device_after.standing, "{what}");
    let begun = |device: &cairn_proofs::verdict::Device| {
        let owners: Vec<_> = device.owners.iter().map(|owner| (owner.value, owner.from)).collect();
        let zones: Vec<_> = device.zones.iter().map(|zone| (zone.value.clone(), zone.from)).collect();
        let statuses: Vec<_> = device.statuses.iter().map(|status| (status.value, status.from)).collect();
        (owners, zones, statuses)
    };
    assert_eq!(begun(device), begun(device_after), "{what}");
    match (before.authority.as_ref().expect("reached"), after.authority.as_ref().expect("reached")) {
        (_, Authority::Suspect { .. }) | (Authority::Held { .. }, Authority::Held { .. }) => {}
        (Authority::Indeterminate { since, .. }, Authority::Indeterminate { since: after, .. }) => {
            assert_eq!(since, after, "{what}");
        }
        (before, after) => panic!("{what}: {before:?} became {after:?}"),
    }
    assert!(before.outcome <= after.outcome, "{what}: doubt is never withdrawn");
    assert!(after.outcome < Outcome::Invalid, "{what}: nothing that was valid becomes invalid");
}
