//! What a member may cost us, and what happens to one that costs more.
//!
//! ```text
//!            an allowance that refills                 blame that is forgiven slowly
//! frames     the reader waits                          a forbidden length, a false signature, an invalid block …
//! batches    dropped, and blamed a little              rejected
//! requests   refused, and blamed a little              announced too long
//!                                                              │ too much
//!                                                              ▼
//!                                         cut off: no connection for a while, longer each time
//! ```
//!
//! Pure: the time comes in. Does not know what a frame or a batch means; who reads them reports an [`Offence`]. Nobody is
//! cut off for good, and a validator for a minute at most: a quorum may need it, and it may have been mended. Invariant:
//! whatever a member sends, checking it takes a bounded part of a core, and one that sends what no honest node sends is
//! heard a few times and then not at all.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::key::PeerKey;

/// Frames that are read of one validator in a second. At 150 blocks a second, more than loopback reaches, one sends four
/// for each; checking 1,000 signatures takes less than a tenth of a core.
pub(crate) const FRAMES_PER_S: u32 = 1_000;
/// Frames in a row before that rate counts: what waited while a line was slow comes at once.
pub(crate) const FRAMES_BURST: u32 = 4_000;
/// Bytes of frames that are read of one validator in a second: 32 of the largest blocks.
pub(crate) const FRAME_BYTES_PER_S: u32 = 32 * 1024 * 1024;
/// Bytes of frames before that rate counts.
pub(crate) const FRAME_BYTES_BURST: u32 = 32 * 1024 * 1024;

/// Batches of one peer that are handed out in a second: each may hold a single transaction, and a node finalises some
/// thousand a second.
const BATCHES_PER_S: u32 = 2_000;
/// Batches before that rate counts.
const BATCHES_BURST: u32 = 4_000;
/// Bytes of batches of one peer that are handed out in a second: three times the largest rate that was ever final.
const BATCH_BYTES_PER_S: u32 = 8 * 1024 * 1024;
/// Bytes of batches before that rate counts.
const BATCH_BYTES_BURST: u32 = 16 * 1024 * 1024;
/// Bytes of batches in a second that may turn out to bring nothing. Honest peers send such batches after a change that
/// they had not seen; checking them takes a fifth of a core.
const USELESS_BYTES_PER_S: u32 = 1024 * 1024;
/// Useless bytes before that rate counts.
const USELESS_BYTES_BURST: u32 = 4 * 1024 * 1024;

/// Requests of one peer that are answered in a second. A node that catches up asks as often as it has executed an answer's
/// blocks; one that is far behind asks for heads ten times a second.
const REQUESTS_PER_S: u32 = 50;
/// Requests before that rate counts.
const REQUESTS_BURST: u32 = 200;
/// Bytes of answers to one peer in a second: more than it can execute.
const ANSWER_BYTES_PER_S: u32 = 32 * 1024 * 1024;
/// Bytes of answers before that rate counts: eight of the largest.
const ANSWER_BYTES_BURST: u32 = 64 * 1024 * 1024;

/// Blame at which a peer is cut off.
const BLAME_MAX: u32 = 100;
/// Blame that is forgiven in a second.
const BLAME_FORGIVEN_PER_S: u32 = 1;
/// Longest cut of a peer that has no vote.
const CUT_MAX: Duration = Duration::from_secs(300);
/// Longest cut of a validator.
const CUT_VALIDATOR_MAX: Duration = Duration::from_secs(60);
/// A peer that was not cut off for so long begins with the first cut again.
const CUTS_FORGOTTEN: Duration = Duration::from_secs(1_800);

/// What an honest node does not do, or not often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offence {
    /// Bytes that do not decode.
    Malformed,
    /// A message whose signature, or the claim in it, does not hold.
    FalseMessage,
    /// A block that breaks the rules, or is not the one that was asked for.
    InvalidBlock,
    /// A length above its bound, or none.
    ForbiddenLength,
    /// A batch of transactions that an honest node would not have forwarded.
    RejectedBatch,
    /// More than the peer's allowance of batches or requests.
    Excess,
    /// A connection more. A few are normal.
    Connection,
}

impl Offence {
    /// How much of [`BLAME_MAX`] it is.
    const fn blame(self) -> u32 {
        match self {
            // An honest node with other rules than ours, after an upgrade that one of us missed, sends a few.
            Self::Malformed | Self::FalseMessage => 10,
            Self::InvalidBlock | Self::ForbiddenLength => 25,
            // An honest node may forward what was good until a key was replaced.
            Self::RejectedBatch => 5,
            // A peer that is killed and started every other second, with both sides dialling, stays below one in a second.
            Self::Excess | Self::Connection => 1,
        }
    }
}

/// An allowance that refills with time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    per_s: u32,
    burst: u32,
    left: f64,
    at: Instant,
}

impl Allowance {
    /// A full one.
    pub(crate) fn new(per_s: u32, burst: u32, now: Instant) -> Self {
        Self { per_s, burst, left: f64::from(burst), at: now }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.left = (self.left + passed.as_secs_f64() * f64::from(self.per_s)).min(f64::from(self.burst));
    }

    /// Whether nothing was taken of it lately.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= f64::from(self.burst)
    }

    /// Takes so much, if anything is left. What is taken at once may leave a debt.
    pub(crate) fn take(&mut self, amount: u32, now: Instant) -> bool {
        self.refill(now);
        let may = self.left > 0.0;
        if may {
            self.left -= f64::from(amount);
        }
        may
    }

    /// Takes so much in any case, and says how long to wait until the debt is paid.
    pub(crate) fn owe(&mut self, amount: u32, now: Instant) -> Duration {
        self.refill(now);
        self.left -= f64::from(amount);
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / f64::from(self.per_s)) }
    }
}

/// How fast one validator's frames are read. Outlives a stream and a connection, or a new one would renew it.
#[derive(Debug)]
pub(crate) struct Pace {
    frames: Allowance,
    bytes: Allowance,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            frames: Allowance::new(FRAMES_PER_S, FRAMES_BURST, now),
            bytes: Allowance::new(FRAME_BYTES_PER_S, FRAME_BYTES_BURST, now),
        }
    }

    /// Counts a frame; how long to wait before the next one is read.
    pub(crate) fn frame(&mut self, bytes: u32, now: Instant) -> Duration {
        self.frames.owe(1, now).max(self.bytes.owe(bytes, now))
    }
}

/// One member's.
struct Record {
    batches: Allowance,
    batch_bytes: Allowance,
    useless_bytes: Allowance,
    requests: Allowance,
    answer_bytes: Allowance,
    /// What is left until it is cut off.
    patience: Allowance,
    cuts: u32,
    cut_until: Option<Instant>,
    last_cut: Instant,
}

impl Record {
    fn new(now: Instant) -> Self {
        Self {
            batches: Allowance::new(BATCHES_PER_S, BATCHES_BURST, now),
            batch_bytes: Allowance::new(BATCH_BYTES_PER_S, BATCH_BYTES_BURST, now),
            useless_bytes: Allowance::new(USELESS_BYTES_PER_S, USELESS_BYTES_BURST, now),
            requests: Allowance::new(REQUESTS_PER_S, REQUESTS_BURST, now),
            answer_bytes: Allowance::new(ANSWER_BYTES_PER_S, ANSWER_BYTES_BURST, now),
            patience: Allowance::new(BLAME_FORGIVEN_PER_S, BLAME_MAX, now),
            cuts: 0,
            cut_until: None,
            last_cut: now,
        }
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It is handed out.
    Yes,
    /// It is dropped: the peer's batches brought nothing lately.
    Dropped,
    /// It is dropped, and the peer is to blame.
    Excess,
}

/// How all members behave.
pub(crate) struct Conduct {
    records: BTreeMap<PeerKey, Record>,
    /// How long the first cut lasts. Each further one lasts twice as long as the one before.
    cut_first: Duration,
}

impl Conduct {
    pub(crate) fn new(cut_first: Duration) -> Self {
        Self { records: BTreeMap::new(), cut_first }
    }

    fn record(&mut self, peer: PeerKey, now: Instant) -> &mut Record {
        self.records.entry(peer).or_insert_with(|| Record::new(now))
    }

    /// Forgets who is no member any more.
    pub(crate) fn retain(&mut self, is_member: impl Fn(&PeerKey) -> bool) {
        self.records.retain(|peer, _| is_member(peer));
    }

    /// A batch has come.
    pub(crate) fn batch(&mut self, peer: PeerKey, bytes: u32, now: Instant) -> Admitted {
        let record = self.record(peer, now);
        if !record.batches.take(1, now) || !record.batch_bytes.take(bytes, now) {
            Admitted::Excess
        } else if record.useless_bytes.take(0, now) {
            Admitted::Yes
        } else {
            Admitted::Dropped
        }
    }

    /// A batch turned out to bring nothing, through nobody's fault.
    pub(crate) fn useless(&mut self, peer: PeerKey, bytes: u32, now: Instant) {
        self.record(peer, now).useless_bytes.owe(bytes, now);
    }

    /// A request has come; whether it may be answered.
    pub(crate) fn request(&mut self, peer: PeerKey, now: Instant) -> bool {
        let record = self.record(peer, now);
        record.requests.take(1, now) && record.answer_bytes.take(0, now)
    }

    /// An answer leaves.
    pub(crate) fn answered(&mut self, peer: PeerKey, bytes: u32, now: Instant) {
        self.record(peer, now).answer_bytes.owe(bytes, now);
    }

    /// A member did what it should not. For how long to cut it off, if this was too much.
    pub(crate) fn blame(
        &mut self,
        peer: PeerKey,
        offence: Offence,
        is_validator: bool,
        now: Instant,
    ) -> Option<Duration> {
        let cut_first = self.cut_first;
        let record = self.record(peer, now);
        if record.cut_until.is_some() {
            return None;
        }
        let debt = record.patience.owe(offence.blame(), now);
        if debt.is_zero() {
            return None;
        }
        if now.saturating_duration_since(record.last_cut) > CUTS_FORGOTTEN {
            record.cuts = 0;
        }
        let max = if is_validator { CUT_VALIDATOR_MAX } else { CUT_MAX };
        let length = cut_first.saturating_mul(2_u32.saturating_pow(record.cuts)).min(max);
        record.cuts = record.cuts.saturating_add(1);
        record.last_cut = now;
        record.cut_until = Some(now + length);
        Some(length)
    }

    /// Whether the peer is cut off.
    pub(crate) fn is_cut(&self, peer: &PeerKey) -> bool {
        self.records.get(peer).is_some_and(|record| record.cut_until.is_some())
    }

    /// Whose cut is over; each is told once, and has half of the patience back.
    pub(crate) fn pardoned(&mut self, now: Instant) -> Vec<PeerKey> {
        let mut pardoned = Vec::new();
        for (peer, record) in &mut self.records {
            if record.cut_until.is_some_and(|until| until <= now) {
                record.cut_until = None;
                record.patience = Allowance::new(BLAME_FORGIVEN_PER_S, BLAME_MAX, now);
                record.patience.owe(BLAME_MAX / 2, now);
                pardoned.push(*peer);
            }
        }
        pardoned
    }

    /// When [`pardoned`](Self::pardoned) will have something to say.
    pub(crate) fn next_pardon(&self) -> Option<Instant> {
        self.records.values().filter_map(|record| record.cut_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT_FIRST: Duration = Duration::from_secs(10);

    fn peer() -> PeerKey {
        PeerKey::from_bytes([7; 32])
    }

    const fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn false_signatures_cut_a_peer_off_and_time_lets_it_back_for_less() {
        let (mut conduct, mut now) = (Conduct::new(CUT_FIRST), Instant::now());
        let offend = |conduct: &mut Conduct, now| {
            let mut count = 0;
            loop {
                count += 1;
                if let Some(length) = conduct.blame(peer(), Offence::FalseMessage, true, now) {
                    return (count, length);
                }
            }
        };
        assert_eq!(offend(&mut conduct, now), (11, second(10)));
        assert!(conduct.is_cut(&peer()));
        assert_eq!(conduct.blame(peer(), Offence::FalseMessage, true, now), None, "it is cut off already");
        let mut lengths = Vec::new();
        for _ in 0..5 {
            now = conduct.next_pardon().expect("it is cut off");
            assert_eq!(conduct.pardoned(now - second(1)), []);
            assert_eq!(conduct.pardoned(now), [peer()]);
            assert!(!conduct.is_cut(&peer()));
            let (count, length) = offend(&mut conduct, now);
            assert_eq!(count, 6, "half of the patience came back");
            lengths.push(length.as_secs());
        }
        assert_eq!(lengths, [20, 40, 60, 60, 60], "a validator is never away for long");
    }

    #[test]
    fn one_without_a_vote_stays_out_longer_and_after_a_good_while_begins_anew() {
        let (mut conduct, mut now) = (Conduct::new(CUT_FIRST), Instant::now());
        let mut lengths = Vec::new();
        for _ in 0..7 {
            while !conduct.is_cut(&peer()) {
                if let Some(length) = conduct.blame(peer(), Offence::ForbiddenLength, false, now) {
                    lengths.push(length.as_secs());
                }
            }
            now = conduct.next_pardon().expect("it is cut off");
            conduct.pardoned(now);
        }
        assert_eq!(lengths, [10, 20, 40, 80, 160, 300, 300]);
        now += CUTS_FORGOTTEN * 2;
        for _ in 0..4 {
            assert_eq!(conduct.blame(peer(), Offence::ForbiddenLength, false, now), None);
        }
        assert_eq!(conduct.blame(peer(), Offence::ForbiddenLength, false, now), Some(CUT_FIRST));
    }

    #[test]
    fn what_happens_now_and_then_is_forgiven() {
        let (mut conduct, start) = (Conduct::new(CUT_FIRST), Instant::now());
        for seconds in 0..1_000 {
            assert_eq!(conduct.blame(peer(), Offence::Excess, false, start + second(seconds)), None);
        }
        for turn in 0..200 {
            let restart = start + second(1_000 + turn / 2 * 2);
            assert_eq!(conduct.blame(peer(), Offence::Connection, true, restart), None);
        }
    }

    #[test]
    fn a_pace_lets_a_burst_through_and_then_slows_down() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..FRAMES_BURST {
            assert_eq!(pace.frame(100, start), Duration::ZERO);
        }
        let waits: Duration = (0..FRAMES_PER_S).map(|_| pace.frame(100, start)).max().expect("there are some");
        assert!((waits.as_secs_f64() - 1.0).abs() < 0.01, "a second's worth takes a second: {waits:?}");
        let mut pace = Pace::new(start);
        assert_eq!(pace.frame(FRAME_BYTES_BURST, start), Duration::ZERO);
        assert_eq!(pace.frame(FRAME_BYTES_PER_S, start), second(1));
    }

    #[test]
    fn useless_batches_are_dropped_without_blame_and_a_flood_is_excess() {
        let (mut conduct, now) = (Conduct::new(CUT_FIRST), Instant::now());
        let batch = 64 * 1024;
        let mut handed_out = 0;
        while conduct.batch(peer(), batch, now) == Admitted::Yes {
            conduct.useless(peer(), batch, now);
            handed_out += 1;
        }
        assert_eq!(handed_out, USELESS_BYTES_BURST / batch);
        assert_eq!(conduct.batch(peer(), batch, now), Admitted::Dropped);
        assert_eq!(conduct.batch(peer(), batch, now + second(1)), Admitted::Yes, "it may try again");
        let mut small = 0;
        while conduct.batch(PeerKey::from_bytes([8; 32]), 1, now) == Admitted::Yes {
            small += 1;
        }
        assert_eq!(small, BATCHES_BURST);
        assert_eq!(conduct.batch(PeerKey::from_bytes([8; 32]), 1, now), Admitted::Excess);
    }

    #[test]
    fn requests_and_long_answers_have_their_rates() {
        let (mut conduct, now) = (Conduct::new(CUT_FIRST), Instant::now());
        let asked = (0..1_000).filter(|_| conduct.request(peer(), now)).count();
        assert_eq!(asked, REQUESTS_BURST as usize);
        assert!(conduct.request(peer(), now + second(1)));
        conduct.answered(peer(), ANSWER_BYTES_BURST + ANSWER_BYTES_PER_S, now + second(1));
        assert!(!conduct.request(peer(), now + second(1)));
        assert!(conduct.request(peer(), now + second(3)));
    }
}
