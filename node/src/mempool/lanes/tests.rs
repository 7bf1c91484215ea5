//! Floods against patience: who goes when. Nothing here is signed, because the lanes do not look.

use std::sync::Arc;

use cairn_types::call::{DistrustLot, EndorseLot, Govern};
use cairn_types::governance::Measure;
use cairn_types::lot::LotBasis;
use cairn_types::{
    BlockHash, BlockRef, Body, Call, ChainId, DeviceId, Hash, Height, LotId, OrganizationId, Principal,
    SignedTransaction, Transaction,
};

use super::{Lanes, ORGANIZATION_TRANSACTIONS_MAX, Payer, RESERVE, TURN_BYTES};

/// The usual limits of a block.
const BLOCK: (usize, usize) = (4_096, 512 * 1024);

fn organization(name: &str) -> OrganizationId {
    OrganizationId::from_hash(Hash::plain(name.as_bytes()))
}

fn device(name: &str) -> Principal {
    Principal::Device(DeviceId::from_hash(Hash::plain(name.as_bytes())))
}

fn transaction(signer: Principal, call: Call) -> Arc<SignedTransaction> {
    let not_before = BlockRef { height: Height::GENESIS, hash: BlockHash::from_hash(Hash::ZERO) };
    let chain = ChainId::from_hash(Hash::ZERO);
    let body = Body { chain, signer, not_before, expires: None, call };
    Arc::new(SignedTransaction::new(Transaction { body, signatures: Vec::new() }))
}

fn ordinary(signer: Principal, number: usize, bytes: usize) -> Arc<SignedTransaction> {
    let label = format!("{number}{}", " ".repeat(bytes));
    let basis = LotBasis::Merkle { root: Hash::ZERO, count: 1 };
    transaction(signer, Call::EndorseLot(EndorseLot { basis, label }))
}

fn urgent(signer: Principal, number: u64) -> Arc<SignedTransaction> {
    let lot = LotId::from_hash(Hash::plain(&number.to_le_bytes()));
    transaction(signer, Call::DistrustLot(DistrustLot { lot, suspect_since: None }))
}

/// The lanes of these, each an organization with its transactions.
fn lanes(of: &[(&str, &[Arc<SignedTransaction>])]) -> Lanes {
    let mut lanes = Lanes::default();
    for (name, transactions) in of {
        for transaction in *transactions {
            lanes.push(Payer::Organization(organization(name)), Arc::clone(transaction));
        }
    }
    lanes
}

fn place(dealt: &[Arc<SignedTransaction>], of: &Arc<SignedTransaction>) -> Option<usize> {
    dealt.iter().position(|transaction| transaction.id() == of.id())
}

#[test]
fn whoever_floods_delays_the_others_by_a_turn_of_its_own() {
    let flood: Vec<_> = (0..5_000).map(|number| ordinary(device("a"), number, 10)).collect();
    let calm: Vec<_> = (0..20).map(|number| ordinary(device("b"), number, 10)).collect();
    let lanes = lanes(&[("flooder", &flood), ("calm", &calm)]);
    for turn in 0..2 {
        let dealt = lanes.deal(turn, BLOCK.0, BLOCK.1);
        let last = calm.iter().map(|transaction| place(&dealt, transaction).expect("it stands in the block")).max();
        let size = flood[0].bytes().len();
        assert!(last.expect("twenty") < 2 * (TURN_BYTES / size + 20), "after {last:?}, turn {turn}");
        let flooded: Vec<_> = dealt.iter().filter(|it| it.body().signer == device("a")).collect();
        assert!(flooded.iter().zip(&flood).all(|(dealt, sent)| dealt.id() == sent.id()), "its own order is kept");
        assert!(dealt.len() > 1_000, "what the calm leave the flooder may fill");
    }
}

#[test]
fn a_turn_is_counted_in_bytes() {
    let large: Vec<_> = (0..64).map(|number| ordinary(device("a"), number, 30_000)).collect();
    let small: Vec<_> = (0..2_000).map(|number| ordinary(device("b"), number, 10)).collect();
    let dealt = lanes(&[("large", &large), ("small", &small)]).deal(0, BLOCK.0, BLOCK.1);
    let bytes = |name: &str| -> usize {
        dealt.iter().filter(|it| it.body().signer == device(name)).map(|it| it.bytes().len()).sum()
    };
    let (large, small) = (bytes("a"), bytes("b"));
    assert!(large > 0 && small.abs_diff(large) < 64 * 1024, "{large} bytes of large ones, {small} of small ones");
}

#[test]
fn nobody_is_always_first() {
    let lanes = lanes(&[
        ("a", &[ordinary(device("a"), 0, 1)]),
        ("b", &[ordinary(device("b"), 0, 1)]),
        ("c", &[ordinary(device("c"), 0, 1)]),
    ]);
    let first = |turn: u64| lanes.deal(turn, 1, BLOCK.1)[0].id();
    assert!(first(0) != first(1) && first(1) != first(2) && first(2) != first(0));
    assert_eq!(first(0), first(3));
}

#[test]
fn what_stops_harm_goes_before_a_flood_but_not_before_its_own_signer() {
    let owner = Principal::Organization(organization("owner"));
    let stolen: Vec<_> = (0..3_000).map(|number| ordinary(device("stolen"), number, 10)).collect();
    let stop = urgent(owner, 1);
    let own_stop = urgent(device("stolen"), 2);
    let others: Vec<_> = (0..3_000).map(|number| ordinary(device("other"), number, 10)).collect();
    let mut lanes = lanes(&[("owner", &stolen), ("another", &others)]);
    let payer = Payer::Organization(organization("owner"));
    lanes.push(payer, Arc::clone(&stop));
    lanes.push(payer, Arc::clone(&own_stop));
    let dealt = lanes.deal(0, BLOCK.0, BLOCK.1);
    assert_eq!(place(&dealt, &stop), Some(0));
    assert_eq!(place(&dealt, &own_stop), None, "what one signer says keeps its order");

    let measure = transaction(owner, Call::Govern(Govern { measure: Measure::ScheduleUpgrade(None) }));
    assert_eq!(Payer::of(measure.body(), |_| None), Payer::Nobody);
    lanes.push(Payer::Nobody, Arc::clone(&measure));
    assert!(place(&lanes.deal(0, BLOCK.0, BLOCK.1), &measure).is_some_and(|place| place < 2));
}

#[test]
fn a_flood_of_urgent_calls_leaves_most_of_a_block_to_the_others() {
    let flood: Vec<_> = (0..5_000).map(|number| urgent(device("a"), number)).collect();
    let calm: Vec<_> = (0..1_000).map(|number| ordinary(device("b"), number, 10)).collect();
    let dealt = lanes(&[("flooder", &flood), ("calm", &calm)]).deal(0, BLOCK.0, BLOCK.1);
    let found = calm.iter().filter(|transaction| place(&dealt, transaction).is_some()).count();
    assert_eq!(found, calm.len());
}

#[test]
fn a_lane_has_a_bound_and_its_last_part_is_for_what_stops_harm() {
    let mut lanes = Lanes::default();
    let (full, other) = (Payer::Organization(organization("full")), Payer::Organization(organization("other")));
    let one = ordinary(device("a"), 0, 0);
    let size = one.bytes().len();
    let mut taken = 0;
    while lanes.has_room(full, size, false) {
        lanes.push(full, Arc::clone(&one));
        taken += 1;
    }
    assert_eq!(taken, ORGANIZATION_TRANSACTIONS_MAX - ORGANIZATION_TRANSACTIONS_MAX / RESERVE);
    assert!(lanes.has_room(full, size, true) && lanes.has_room(other, size, false));
    while lanes.has_room(full, size, true) {
        lanes.push(full, Arc::clone(&one));
        taken += 1;
    }
    assert_eq!(taken, ORGANIZATION_TRANSACTIONS_MAX);
}
