//! No input to a verdict changes when the ledger grows: random lives of two meters, each attestation judged at every
//! checkpoint from its own block to the tip, and each verdict compared with the one before.

use cairn_types::{AttestationRef, DeviceStatus, Height, Interval, LotId, Position, Principal};

use super::super::{
    Authority, Device, EndorsementTrust, KeyStanding, Outcome, Silence, StreamStanding, Verdict, verify_bytes,
};
use super::ledger::{Algorithm, Attested, Ledger, Meter, MeterStream, organization, zone_attests};
use super::{DAY, expecting};
use crate::test_random::Random;

/// Lives that are told: as many as take a few seconds.
const LIVES: u64 = 24;

/// Blocks of a life.
const BLOCKS: usize = 14;

/// What the next random event needs to know.
struct Life {
    ledger: Ledger,
    random: Random,
    /// Whether anybody ever states a doubt.
    doubts: bool,
    lot: LotId,
    streams: Vec<MeterStream>,
    pending: Vec<bool>,
    offered: Vec<bool>,
    active: Vec<bool>,
    done: Vec<bool>,
    attested: Vec<(Attested, AttestationRef)>,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let doubts = random.once_in(2);
        let mut ledger = Ledger::new(1, &["works", "operator", "maker"]);
        let lot = ledger.endorse_lot("maker", "wm-200");
        ledger.seal();
        let streams = [Algorithm::Ed25519, Algorithm::P256].map(|algorithm| {
            let meter = ledger.register_with(algorithm, &format!("meter {algorithm:?} {seed}"), "works", "north");
            if algorithm == Algorithm::P256 {
                ledger.endorse(&meter, lot, "sn-1");
            }
            let grant = ledger.grant(zone_attests("works", "north"));
            ledger.open_stream(&meter, "flow", grant, Some(3))
        });
        ledger.seal();
        let none = vec![false; streams.len()];
        Self {
            ledger,
            random,
            doubts,
            lot,
            streams: streams.to_vec(),
            pending: none.clone(),
            offered: none.clone(),
            active: vec![true; streams.len()],
            done: none,
            attested: vec![],
        }
    }

    /// A doubt somewhere in the past, if this life has doubts.
    fn doubt(&mut self) -> Option<Position> {
        let height = self.random.below(usize::try_from(self.ledger.tip().get()).expect("small") + 1);
        let since = Position::start_of(Height::new(u64::try_from(height).expect("small")));
        (self.doubts && self.random.once_in(2)).then_some(since)
    }

    fn attest(&mut self, place: usize) {
        let stream = self.streams[place].clone();
        let seen = self.random.below(usize::try_from(self.ledger.tip().get()).expect("small") + 1);
        let seen = self.ledger.block_ref(u64::try_from(seen).expect("small"));
        let day = self.ledger.attest(&stream, DAY, seen);
        let cairn_types::Call::Attest(attest) = &day.transaction.body().call else { panic!("an attestation") };
        let place = AttestationRef { stream: attest.stream, sequence: attest.sequence };
        self.attested.push((day, place));
    }

    /// Changes the device behind a stream, and the key that it signs with.
    fn becomes(&mut self, place: usize, meter: Meter) {
        self.streams[place].meter = meter;
    }

    fn event(&mut self) {
        let place = self.random.below(self.streams.len());
        let meter = self.streams[place].meter.clone();
        match self.random.below(16) {
            0 if !self.done[place] => {
                let next = self.ledger.rotate(&meter);
                self.becomes(place, next);
                // The key that a recovery would bring follows from the one before.
                if std::mem::take(&mut self.pending[place]) {
                    self.ledger.cancel_recovery(&meter);
                }
            }
            1 => {
                let path = ["north", "north/pump", "south"][self.random.below(3)];
                self.ledger.place(&meter, "works", path);
            }
            2 if !self.done[place] => {
                self.active[place] = !self.active[place];
                let status = if self.active[place] { DeviceStatus::Active } else { DeviceStatus::Suspended };
                self.ledger.set_status(&meter, status, None);
            }
            3 if !self.done[place] && self.random.once_in(3) => {
                let since = self.doubt();
                self.ledger.set_status(&meter, DeviceStatus::Revoked, since);
                self.done[place] = true;
            }
            4 if !self.pending[place] && !self.done[place] => {
                let since = self.doubt();
                self.ledger.announce_recovery(&meter, since);
                self.pending[place] = true;
            }
            5 if self.pending[place] => {
                self.pending[place] = false;
                if self.random.once_in(2) {
                    self.ledger.cancel_recovery(&meter);
                } else {
                    let meter = self.ledger.recovery_takes_effect(&meter);
                    self.becomes(place, meter);
                    self.seal();
                }
            }
            6 => {
                self.ledger.offer(&meter, "operator");
                self.offered[place] = true;
            }
            7 if std::mem::take(&mut self.offered[place]) => {
                self.ledger.accept(&meter, "operator", "north");
                self.pending[place] = false;
                let terms = zone_attests("operator", "north");
                self.streams[place].grant = self.ledger.grant(terms);
            }
            8 if self.random.once_in(3) => {
                let since = self.doubt();
                let grant = self.streams[place].grant;
                self.ledger.revoke(&grant, since);
                self.streams[place].grant = self.ledger.grant(zone_attests("works", "north"));
            }
            9 if self.doubts => {
                let since = self.doubt();
                self.ledger.distrust(&self.lot.clone(), since);
            }
            10 if self.random.once_in(4) => drop(self.ledger.expel(["maker", "works"][self.random.below(2)])),
            11 if self.doubts && self.random.once_in(4) => {
                let sequence = u64::try_from(self.random.below(4)).expect("small");
                let stream = self.streams[place].clone();
                self.ledger.report_fork(&stream, sequence);
            }
            12 => {
                if let Some((_, target)) = self.attested.last().cloned()
                    && self.attested.iter().all(|(day, _)| day.at.height < self.ledger.next_position().height)
                {
                    let by = Principal::Organization(organization("works"));
                    self.ledger.supersede(target, by, Some(target));
                }
            }
            _ => self.attest(place),
        }
    }

    fn seal(&mut self) {
        self.ledger.seal();
    }

    fn run(mut self) -> Self {
        for _ in 0..BLOCKS {
            for _ in 0..self.random.below(4) {
                self.event();
            }
            self.seal();
        }
        self
    }
}

/// What is said of the checkpoint is taken out, and so is what an interval's end, which may come later.
fn settled(verdict: &Verdict) -> Verdict {
    fn open<T>(intervals: &mut [Interval<T>]) {
        intervals.iter_mut().for_each(|interval| (interval.to, interval.suspect_since) = (None, None));
    }
    let mut settled = verdict.clone();
    settled.outcome = Outcome::Valid;
    settled.reasons.clear();
    settled.finality = None;
    settled.later = None;
    settled.present = None;
    settled.organizations.clear();
    if let Some(epoch) = settled.key.as_mut().and_then(|key| key.epoch.as_mut()) {
        epoch.to = None;
    }
    if let Some(Device { statuses, owners, zones, endorsement, .. }) = &mut settled.device {
        open(statuses);
        open(owners);
        open(zones);
        if let Some(endorsement) = endorsement {
            endorsement.trust = EndorsementTrust::Trusted;
        }
    }
    if let Some(
        Authority::Held { path }
        | Authority::Indeterminate { path, .. }
        | Authority::Suspect { path, .. }
        | Authority::NotHeld { path, .. },
    ) = &mut settled.authority
    {
        path.iter_mut().for_each(|(_, link)| (link.to, link.suspect_since) = (None, None));
    }
    if let Some(stream) = &mut settled.stream {
        (stream.count, stream.head, stream.closed) = (0, Position::default(), None);
        stream.silence = Silence::Unknown;
        if let StreamStanding::Continued { .. } = stream.standing {
            stream.standing = StreamStanding::Complete;
        }
    }
    settled
}

/// What is not a doubt.
fn refutations(verdict: &Verdict) -> Vec<String> {
    let doubts = ["key_suspect", "authority_suspect", "stream_forked"];
    verdict.reasons.iter().filter(|reason| !doubts.contains(&reason.name())).map(ToString::to_string).collect()
}

/// Compares a verdict with the same at a later checkpoint, and puts a stated doubt back to what was said before it.
fn assert_grown(before: &Verdict, after: &Verdict, doubts: bool, place: &str) {
    let (mut old, mut new) = (settled(before), settled(after));
    let doubted = |since: Option<Position>, earlier: Option<Position>| {
        assert!(doubts, "{place}: nobody stated a doubt\n{before}\n{after}");
        assert!(
            earlier.is_none_or(|earlier| since.is_some_and(|since| since <= earlier)),
            "{place}: a doubt went away"
        );
    };
    if let (Some(old), Some(new)) = (&mut old.key, &mut new.key)
        && let KeyStanding::Suspect { since } = new.standing
    {
        let earlier = if let KeyStanding::Suspect { since } = old.standing { Some(since) } else { None };
        assert_ne!(old.standing, KeyStanding::NotHeld, "{place}");
        doubted(Some(since), earlier);
        new.standing = old.standing;
    }
    if let Some(Authority::Suspect { since, .. }) = &new.authority {
        let earlier = if let Some(Authority::Suspect { since, .. }) = &old.authority { Some(*since) } else { None };
        assert!(!matches!(old.authority, Some(Authority::NotHeld { .. })), "{place}");
        doubted(Some(*since), earlier);
        new.authority.clone_from(&old.authority);
    }
    if let (Some(old), Some(new)) = (&mut old.stream, &mut new.stream)
        && let StreamStanding::Forked { .. } = new.standing
    {
        assert_ne!(old.standing, StreamStanding::Contradicts, "{place}");
        doubted(None, None);
        new.standing = old.standing;
    }
    assert_eq!(old, new, "{place}");
    assert_eq!(refutations(before), refutations(after), "{place}");
    if !doubts {
        assert_eq!((before.outcome, &before.reasons), (after.outcome, &after.reasons), "{place}");
    }
    let events = |verdict: &Verdict| verdict.later.as_ref().map_or(0, Vec::len);
    assert!(events(before) <= events(after), "{place}: an event went away");
}

#[test]
fn a_verdict_stays_as_it_is_when_the_ledger_grows() {
    let (mut judged, mut outcomes) = (0, [0; 3]);
    for seed in 0..LIVES {
        let life = Life::begin(seed).run();
        let tip = life.ledger.tip().get();
        for (day, _) in &life.attested {
            let mut before: Option<Verdict> = None;
            for height in day.at.height.get()..=tip {
                let bundle = life.ledger.bundle_at(day, Height::new(height));
                let verdict = verify_bytes(&bundle.encode(), &expecting(&life.ledger));
                assert!(verdict.present.is_some(), "seed {seed}: the judgement was reached\n{verdict}");
                let place = format!("seed {seed}, attestation at {}, checkpoint {height}", day.at);
                if let Some(before) = &before {
                    assert_grown(before, &verdict, life.doubts, &place);
                }
                judged += 1;
                before = Some(verdict);
            }
            let outcome = before.map_or(Outcome::Valid, |verdict| verdict.outcome);
            outcomes[outcome as usize] += 1;
        }
    }
    println!("{judged} verdicts; at last {outcomes:?} VALID, INCOMPLETE, INVALID");
    assert!(outcomes.iter().all(|count| *count > 0), "all three outcomes were met: {outcomes:?}");
}
