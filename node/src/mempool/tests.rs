//! The pool with the real rules: organizations in turn, and what rests on another's transaction.

use std::sync::Arc;

use cairn_runtime::CheckDirectly;
use cairn_types::call::{Grant, SetDeviceStatus};
use cairn_types::{
    Action, Call, DeviceStatus, GrantId, Grantee, Height, Principal, Scope, SignedTransaction, Window, Zone,
};

use super::Mempool;
use crate::ledger;
use crate::signature_cache::SignatureCache;
use crate::testing::World;

fn pool(world: &World) -> Mempool {
    Mempool::new(Arc::clone(world.chain()), Arc::new(SignatureCache::default()))
}

/// The `number`-th grant of an organization over its own site to another one.
fn grant(world: &World, from: usize, to: usize, number: u64, parent: Option<GrantId>) -> SignedTransaction {
    let owner = if parent.is_some() { to } else { from };
    let zone = Zone { organization: world.organization(owner), path: "site".parse().expect("a path") };
    let (actions, depth) = match parent {
        Some(_) => ([Action::Read].into_iter().collect(), 0),
        None => ([Action::Read, Action::Delegate].into_iter().collect(), 1),
    };
    let call = Call::Grant(Grant {
        grantee: Grantee::Organization(world.organization(to)),
        actions,
        scope: Scope::Zone(zone),
        window: Window { from: Height::GENESIS, to: Some(Height::new(1_000 + number)) },
        depth,
        parent,
    });
    world.sign(call, &[&world.organizations[from]])
}

#[test]
fn a_flood_of_one_organization_does_not_delay_another() {
    let mut world = World::new();
    world.commit(Vec::new());
    let pool = pool(&world);
    for number in 0..300 {
        pool.add(Arc::new(grant(&world, 0, 1, number, None))).expect("a valid grant");
    }
    let (device, registration) = world.register(1, 50);
    let id = pool.add(Arc::new(registration)).expect("a valid registration");
    let place = pool.candidates().iter().position(|candidate| candidate.id() == id).expect("it waits");
    assert!(place < 30, "it stands at {place}, behind a flood of 300");

    // A device's transactions count for its owner, also before it is final.
    let Principal::Device(device_id) = device.principal else { panic!("a device") };
    let call = Call::SetDeviceStatus(SetDeviceStatus {
        device: device_id,
        status: DeviceStatus::Suspended,
        suspect_since: None,
    });
    let suspended = pool.add(Arc::new(world.sign(call, &[&device]))).expect("a device may suspend itself");
    let candidates = pool.candidates();
    let place = |id| candidates.iter().position(|candidate| candidate.id() == id).expect("it waits");
    assert!(place(suspended) < 30, "{}", place(suspended));
}

#[test]
fn what_rests_on_another_organization_follows_it_at_the_latest_one_block_later() {
    let mut world = World::new();
    world.commit(Vec::new());
    let pool = pool(&world);
    // Each gives to the other, and each passes the other's grant back: whoever's turn is first, one child comes too early.
    let parents = [grant(&world, 0, 1, 0, None), grant(&world, 1, 0, 0, None)];
    let children: Vec<SignedTransaction> = [(1, 0), (0, 1)]
        .into_iter()
        .zip(&parents)
        .map(|((from, to), parent)| grant(&world, from, to, 0, Some(GrantId::of(&parent.id()))))
        .collect();
    let all: Vec<_> = parents.iter().chain(&children).map(SignedTransaction::id).collect();
    for transaction in parents.into_iter().chain(children) {
        pool.add(Arc::new(transaction)).expect("in this order each is valid");
    }
    let mut blocks = 0;
    while !pool.is_empty() {
        blocks += 1;
        assert!(blocks <= 2, "something waits for ever");
        let now_ms = world.tip().header.time_ms + 1;
        let (block, early) =
            ledger::build(world.chain(), &CheckDirectly, 0, now_ms, pool.candidates()).expect("readable");
        assert!(blocks == 1 || early.is_empty());
        let certificate = world.certify(block.header.height, &block);
        let included = block.transactions.clone();
        let snapshot = world.ledger.commit(block, certificate).expect("the disk takes it");
        pool.follow(snapshot, &included).expect("readable");
    }
    for id in all {
        assert!(world.chain().position(&id).expect("readable").is_some(), "{id} is not final");
    }
}
