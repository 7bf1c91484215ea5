//! Judges a history. It knows what the ledger promises, and nothing of how nodes keep it.
//!
//! | promise | anomaly |
//! |---|---|
//! | one block a height, on every node, for ever | [`Anomaly::TwoBlocks`], [`Anomaly::NotLinked`] |
//! | what was called final stays, at its place | [`Anomaly::Moved`], [`Anomaly::Lost`], [`Anomaly::Twice`] |
//! | what is called final is final | [`Anomaly::NotInItsBlock`], [`Anomaly::NotCertified`] |
//! | what one node answers never goes back | [`Anomaly::WentBack`] |
//! | a stream only grows, to the same on every node | [`Anomaly::StreamChanged`] |
//! | refused is refused | [`Anomaly::RefusedIsFinal`] |
//! | a wrong clock is not believed | [`Anomaly::FromTheFuture`] |
//!
//! Two reads are ordered only if one ended before the other began; of reads that overlap nothing is claimed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cairn_types::{BlockHash, Position, StreamId, TransactionId};

use crate::history::{Event, Seen, SeenBlock};

/// By how much a block's time may be ahead of this program's clock, in milliseconds: the drift that voters allow, which
/// the default parameters set to 10 s.
const DRIFT_MS_MAX: u64 = 10_000;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Anomaly {
    /// Two blocks at one height.
    TwoBlocks { height: u64, one: BlockHash, other: BlockHash, node: usize },
    /// A block whose parent is not the block below it.
    NotLinked { height: u64, node: usize },
    /// A transaction was final at one place, and then at another.
    Moved { id: TransactionId, from: Position, to: Position, node: usize },
    /// A transaction that was final, and a node that had its block does not know it, or says that it waits.
    Lost { id: TransactionId, position: Position, node: usize },
    /// A transaction stands in the ledger twice.
    Twice { id: TransactionId, one: Position, other: Position },
    /// A transaction that was called final is not at its place in its block.
    NotInItsBlock { id: TransactionId, position: Position, node: usize },
    /// A block without a certificate that verifies.
    NotCertified { height: u64, node: usize },
    /// A node's newest block was lower than it had been.
    WentBack { from: u64, to: u64, node: usize },
    /// A stream was shorter after a later block, or not the same after the same block.
    StreamChanged { stream: StreamId, at: u64, node: usize },
    /// A transaction that nobody took is final.
    RefusedIsFinal { id: TransactionId, rule: String },
    /// A block's time lies too far ahead.
    FromTheFuture { height: u64, ahead_ms: u64 },
}

/// All promises that a history breaks; `events` in the order in which they ended.
pub(crate) fn check(events: &[Event]) -> Vec<Anomaly> {
    let mut anomalies = BTreeSet::new();
    let finals = check_positions(events, &mut anomalies);
    let places = check_blocks(events, &finals, &mut anomalies);
    check_tips(events, &finals, &mut anomalies);
    check_streams(events, &mut anomalies);
    check_refusals(events, &finals, &places, &mut anomalies);
    anomalies.into_iter().collect()
}

/// Where each transaction was first called final, or stands in a block.
type Finals = HashMap<TransactionId, Position>;

fn check_positions(events: &[Event], anomalies: &mut BTreeSet<Anomaly>) -> Finals {
    let mut finals = Finals::new();
    for event in events {
        let Seen::Final { id, position, .. } = event.seen else { continue };
        let first = *finals.entry(id).or_insert(position);
        if first != position {
            anomalies.insert(Anomaly::Moved { id, from: first, to: position, node: event.node });
        }
    }
    finals
}

fn check_blocks(events: &[Event], finals: &Finals, anomalies: &mut BTreeSet<Anomaly>) -> Finals {
    let mut hashes: BTreeMap<u64, BlockHash> = BTreeMap::new();
    let mut blocks: BTreeMap<u64, (&SeenBlock, usize)> = BTreeMap::new();
    let mut meet = |height: u64, hash: BlockHash, node: usize, anomalies: &mut BTreeSet<Anomaly>| {
        let one = *hashes.entry(height).or_insert(hash);
        if one != hash {
            anomalies.insert(Anomaly::TwoBlocks { height, one, other: hash, node });
        }
    };
    for event in events {
        let node = event.node;
        match &event.seen {
            Seen::Tip { height, hash } => meet(*height, *hash, node, anomalies),
            Seen::Final { position, block, .. } => meet(position.height.get(), *block, node, anomalies),
            Seen::Block(block) => {
                meet(block.height, block.hash, node, anomalies);
                if let Some(below) = block.height.checked_sub(1) {
                    meet(below, block.parent, node, anomalies);
                }
                if !block.is_certified {
                    anomalies.insert(Anomaly::NotCertified { height: block.height, node });
                }
                let ahead_ms = block.time_ms.saturating_sub(event.ended_us / 1_000);
                if ahead_ms > DRIFT_MS_MAX {
                    anomalies.insert(Anomaly::FromTheFuture { height: block.height, ahead_ms });
                }
                let (first, _) = *blocks.entry(block.height).or_insert((block, node));
                // What stands in it follows from its hash; a node that shows something else under the same hash lies.
                if first.hash == block.hash && first != block {
                    anomalies.insert(Anomaly::NotLinked { height: block.height, node });
                }
            }
            _ => {}
        }
    }
    let mut places = Finals::new();
    for (height, (block, _)) in &blocks {
        for (index, id) in (0..).zip(&block.transactions) {
            let place = Position { height: cairn_types::Height::new(*height), index };
            if let Some(one) = places.insert(*id, place) {
                anomalies.insert(Anomaly::Twice { id: *id, one, other: place });
            }
        }
    }
    for (id, position) in finals {
        // The sweep at the end reads every block; one that nobody read says nothing.
        if let Some((_, node)) = blocks.get(&position.height.get())
            && places.get(id) != Some(position)
        {
            anomalies.insert(Anomaly::NotInItsBlock { id: *id, position: *position, node: *node });
        }
    }
    places
}

/// A node's newest height, as far as reads that ended before a moment showed it.
struct Heights {
    /// By node: when a read ended, and the highest that had been seen by then.
    seen: BTreeMap<usize, Vec<(u64, u64)>>,
}

impl Heights {
    fn of(events: &[Event]) -> Self {
        let mut seen: BTreeMap<usize, Vec<(u64, u64)>> = BTreeMap::new();
        for event in events {
            let height = match &event.seen {
                Seen::Tip { height, .. } => *height,
                Seen::Final { position, .. } => position.height.get(),
                Seen::Block(block) => block.height,
                Seen::Stream { at, .. } => *at,
                _ => continue,
            };
            let heights = seen.entry(event.node).or_default();
            let highest = heights.last().map_or(0, |(_, highest)| *highest).max(height);
            heights.push((event.ended_us, highest));
        }
        Self { seen }
    }

    fn before(&self, node: usize, moment_us: u64) -> u64 {
        let Some(heights) = self.seen.get(&node) else { return 0 };
        let count = heights.partition_point(|(ended_us, _)| *ended_us < moment_us);
        count.checked_sub(1).and_then(|last| heights.get(last)).map_or(0, |(_, highest)| *highest)
    }
}

fn check_tips(events: &[Event], finals: &Finals, anomalies: &mut BTreeSet<Anomaly>) {
    let heights = Heights::of(events);
    for event in events {
        let node = event.node;
        let known = heights.before(node, event.began_us);
        match &event.seen {
            Seen::Tip { height, .. } | Seen::Stream { at: height, .. } if *height < known => {
                anomalies.insert(Anomaly::WentBack { from: known, to: *height, node });
            }
            Seen::Pending(id) | Seen::Unknown(id) => {
                if let Some(position) = finals.get(id)
                    && position.height.get() <= known
                {
                    anomalies.insert(Anomaly::Lost { id: *id, position: *position, node });
                }
            }
            _ => {}
        }
    }
}

fn check_streams(events: &[Event], anomalies: &mut BTreeSet<Anomaly>) {
    let mut streams: HashMap<StreamId, BTreeMap<u64, (u64, TransactionId)>> = HashMap::new();
    for event in events {
        let Seen::Stream { stream, at, count, head } = event.seen else { continue };
        let states = streams.entry(stream).or_default();
        let below = states.range(..=at).next_back().map(|(height, state)| (*height, *state));
        let above = states.range(at..).next().map(|(height, state)| (*height, *state));
        let is_same = |(height, state)| height != at || state == (count, head);
        let holds = below.is_none_or(|below| is_same(below) && below.1.0 <= count)
            && above.is_none_or(|above| is_same(above) && above.1.0 >= count);
        if !holds {
            anomalies.insert(Anomaly::StreamChanged { stream, at, node: event.node });
        }
        states.entry(at).or_insert((count, head));
    }
}

fn check_refusals(events: &[Event], finals: &Finals, places: &Finals, anomalies: &mut BTreeSet<Anomaly>) {
    let taken: HashSet<TransactionId> = events
        .iter()
        .filter_map(|event| match event.seen {
            Seen::Taken(id) | Seen::Unanswered(id) => Some(id),
            _ => None,
        })
        .collect();
    for event in events {
        if let Seen::Refused { id, rule } = &event.seen
            && (finals.contains_key(id) || places.contains_key(id))
            && !taken.contains(id)
        {
            anomalies.insert(Anomaly::RefusedIsFinal { id: *id, rule: rule.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
