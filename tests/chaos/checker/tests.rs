//! Fabricated histories: a good one, and one for each promise that is broken.

use cairn_types::{BlockHash, Hash, Height, Position, StreamId, TransactionId};

use super::{Anomaly, check};
use crate::history::{Event, Seen, SeenBlock};

fn hash(name: u8) -> Hash {
    Hash::from_bytes([name; 32])
}

fn block_hash(name: u8) -> BlockHash {
    BlockHash::from_hash(hash(name))
}

fn transaction(name: u8) -> TransactionId {
    TransactionId::from_hash(hash(name))
}

fn place(height: u64, index: u32) -> Position {
    Position { height: Height::new(height), index }
}

fn block(height: u64, name: u8, parent: u8, transactions: &[u8]) -> SeenBlock {
    SeenBlock {
        height,
        hash: block_hash(name),
        parent: block_hash(parent),
        time_ms: 0,
        is_certified: true,
        transactions: transactions.iter().map(|name| transaction(*name)).collect(),
    }
}

fn called_final(name: u8, height: u64, index: u32, block: u8) -> Seen {
    Seen::Final { id: transaction(name), position: place(height, index), block: block_hash(block) }
}

fn tip(height: u64, name: u8) -> Seen {
    Seen::Tip { height, hash: block_hash(name) }
}

const STREAM: u8 = 200;

fn stream(at: u64, count: u64, head: u8) -> Seen {
    Seen::Stream { stream: StreamId::from_hash(hash(STREAM)), at, count, head: transaction(head) }
}

/// Answers of nodes, one after the other.
fn history(seen: Vec<(usize, Seen)>) -> Vec<Event> {
    let event = |(order, (node, seen)): (u64, (usize, Seen))| Event {
        node,
        began_us: order * 10,
        ended_us: order * 10 + 5,
        seen,
    };
    (1..).zip(seen).map(event).collect()
}

/// Blocks 1 to 3, whose hashes are 11 to 13; transaction 1 stands in block 1, 2 and 3 in block 3.
fn good() -> Vec<(usize, Seen)> {
    vec![
        (0, tip(1, 11)),
        (0, Seen::Taken(transaction(1))),
        (1, Seen::Pending(transaction(1))),
        (2, Seen::Unknown(transaction(1))),
        (2, Seen::Refused { id: transaction(9), rule: "SequenceInvalid".to_owned() }),
        (0, called_final(1, 1, 0, 11)),
        (1, called_final(1, 1, 0, 11)),
        // Node 2 has not got block 1 yet.
        (2, Seen::Unknown(transaction(1))),
        (2, Seen::Refused { id: transaction(2), rule: "NotBeforeUnknown".to_owned() }),
        (1, Seen::Unanswered(transaction(2))),
        (0, stream(1, 0, 1)),
        (1, tip(3, 13)),
        (1, stream(3, 2, 3)),
        (0, stream(1, 0, 1)),
        (0, called_final(2, 3, 0, 13)),
        (0, Seen::Block(block(1, 11, 10, &[1]))),
        (1, Seen::Block(block(2, 12, 11, &[]))),
        (1, Seen::Block(block(3, 13, 12, &[2, 3]))),
        (2, Seen::Block(block(3, 13, 12, &[2, 3]))),
        (2, called_final(1, 1, 0, 11)),
    ]
}

/// The anomalies of the good history, and more.
fn after(more: Vec<(usize, Seen)>) -> Vec<Anomaly> {
    let mut seen = good();
    // Node 0 read block 3 through its transaction; reads of old blocks say nothing of a tip.
    seen.extend(more);
    check(&history(seen))
}

#[test]
fn a_good_history_has_no_anomaly() {
    assert_eq!(after(Vec::new()), []);
}

#[test]
fn two_blocks_at_one_height_are_found_wherever_they_are_told() {
    let two =
        |height, one, other, node| Anomaly::TwoBlocks { height, one: block_hash(one), other: block_hash(other), node };
    assert_eq!(after(vec![(0, tip(3, 23))]), [two(3, 13, 23, 0)]);
    let other = Seen::Block(block(4, 14, 23, &[]));
    assert_eq!(after(vec![(1, other)]), [two(3, 13, 23, 1)], "a block on another parent");
    assert_eq!(after(vec![(2, called_final(3, 3, 1, 23))]), [two(3, 13, 23, 2)], "a receipt of another block");
}

#[test]
fn a_node_that_shows_something_else_under_the_same_hash_is_found() {
    let other = Seen::Block(block(3, 13, 12, &[3, 2]));
    assert_eq!(after(vec![(0, other)]), [Anomaly::NotLinked { height: 3, node: 0 }]);
}

#[test]
fn what_was_final_may_not_move_be_lost_or_come_twice() {
    let (id, one) = (transaction(1), place(1, 0));
    let moved = after(vec![(1, called_final(1, 3, 0, 13))]);
    assert_eq!(moved, [Anomaly::Moved { id, from: one, to: place(3, 0), node: 1 }]);
    for lost in [Seen::Unknown(id), Seen::Pending(id)] {
        assert_eq!(after(vec![(1, lost)]), [Anomaly::Lost { id, position: one, node: 1 }]);
    }
    // Nobody asks for it again, but another node, at a later height, has never heard of it.
    let elsewhere = after(vec![(3, tip(3, 13)), (3, Seen::Unknown(id))]);
    assert_eq!(elsewhere, [Anomaly::Lost { id, position: one, node: 3 }]);
    let twice = after(vec![(1, Seen::Block(block(4, 14, 13, &[1])))]);
    assert!(twice.contains(&Anomaly::Twice { id, one, other: place(4, 0) }), "{twice:?}");
}

#[test]
fn what_is_called_final_must_stand_in_a_certified_block() {
    let pending = after(vec![(1, called_final(7, 3, 2, 13))]);
    assert_eq!(pending, [Anomaly::NotInItsBlock { id: transaction(7), position: place(3, 2), node: 1 }]);
    let uncertified = SeenBlock { is_certified: false, ..block(4, 14, 13, &[]) };
    assert_eq!(after(vec![(1, Seen::Block(uncertified))]), [Anomaly::NotCertified { height: 4, node: 1 }]);
}

#[test]
fn reads_of_one_node_never_go_back_and_reads_that_overlap_may() {
    assert_eq!(after(vec![(1, tip(2, 12))]), [Anomaly::WentBack { from: 3, to: 2, node: 1 }]);
    assert_eq!(after(vec![(1, stream(2, 0, 1))]), [Anomaly::WentBack { from: 3, to: 2, node: 1 }]);
    let mut events = history([good(), vec![(1, tip(2, 12))]].concat());
    events.last_mut().expect("some").began_us = 0;
    assert_eq!(check(&events), [], "it was asked before the others had ended");
}

#[test]
fn a_stream_neither_shrinks_nor_differs() {
    let changed = |at, node| Anomaly::StreamChanged { stream: StreamId::from_hash(hash(STREAM)), at, node };
    assert_eq!(after(vec![(0, stream(4, 1, 2))]), [changed(4, 0)], "shorter after a later block");
    assert_eq!(after(vec![(0, stream(3, 2, 2))]), [changed(3, 0)], "another head after the same block");
    assert_eq!(after(vec![(3, stream(2, 3, 3))]), [changed(2, 3)], "longer after an earlier block");
}

#[test]
fn what_nobody_took_may_not_be_final() {
    let rule = || "SequenceInvalid".to_owned();
    let found = [Anomaly::RefusedIsFinal { id: transaction(9), rule: rule() }];
    assert_eq!(after(vec![(1, Seen::Block(block(4, 14, 13, &[9])))]), found);
    assert_eq!(after(vec![(0, Seen::Taken(transaction(9))), (1, Seen::Block(block(4, 14, 13, &[9])))]), []);
}

#[test]
fn a_clock_that_is_ahead_is_not_believed() {
    let late = SeenBlock { time_ms: 3_600_000, ..block(4, 14, 13, &[]) };
    let found = after(vec![(1, Seen::Block(late))]);
    assert!(matches!(found[..], [Anomaly::FromTheFuture { height: 4, ahead_ms: 3_599_999.. }]), "{found:?}");
}
