//! What becomes of gossiped batches, one by one and together.

use std::sync::Arc;

use cairn_network::BatchVerdict::{Accept, Ignore, Reject};
use cairn_types::{Call, Height, SignatureBytes, SignedTransaction, encode};

use super::take;
use crate::mempool::Mempool;
use crate::signature_cache::SignatureCache;
use crate::testing::{Actor, World, attest, grant_to_attest, open_stream, sign_after};

fn batch(transactions: &[&SignedTransaction]) -> Vec<u8> {
    encode(&transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect::<Vec<_>>())
}

/// The same with a signature that does not hold.
fn falsified(transaction: &SignedTransaction) -> SignedTransaction {
    let mut changed = transaction.transaction().clone();
    let SignatureBytes::Ed25519(bytes) = &mut changed.signatures[0].bytes else { panic!("Ed25519 is used here") };
    bytes[40] ^= 1;
    SignedTransaction::new(changed)
}

/// A world with a device that has said one thing, which is final; and the next two things that it says.
fn speaking() -> (World, SignedTransaction, SignedTransaction, [SignedTransaction; 2]) {
    let mut world = World::new();
    world.commit(Vec::new());
    let (device, registration) = world.register(0, 50);
    world.commit(vec![registration.clone()]);
    let grant = world.sign(grant_to_attest(&world, 0, &device), &[&world.organizations[0]]);
    let sign =
        |world: &World, call: Call, device: &Actor| sign_after(world.genesis.chain, &world.tip(), call, &[device]);
    let opened = sign(&world, open_stream(&grant, "flow"), &device);
    let said = sign(&world, attest(&device, &grant, "flow", 0, &opened), &device);
    world.commit(vec![grant.clone(), opened, said.clone()]);
    let second = sign(&world, attest(&device, &grant, "flow", 1, &said), &device);
    let third = sign(&world, attest(&device, &grant, "flow", 2, &second), &device);
    (world, registration, said, [second, third])
}

#[test]
fn of_batches_that_are_taken_together_each_has_its_own_verdict() {
    let (world, registration, said, [second, third]) = speaking();
    let pool = || Mempool::new(Arc::clone(world.chain()), Arc::new(SignatureCache::default()));
    let cases: [(&[u8], _); 7] = [
        (&batch(&[&said, &registration]), Ignore),
        (&batch(&[&said, &second]), Accept),
        (&batch(&[&second]), Ignore),
        (&batch(&[&falsified(&third)]), Reject),
        (&[1, 2, 3], Reject),
        (&batch(&[&third]), Accept),
        (&batch(&[]), Ignore),
    ];
    let (batches, expected): (Vec<&[u8]>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(take(&pool(), &batches), expected);
    let one_by_one = pool();
    let verdicts: Vec<_> = batches.iter().flat_map(|batch| take(&one_by_one, &[batch])).collect();
    assert_eq!(verdicts, expected);
    assert_eq!(one_by_one.size().0, 2);
}

#[test]
fn what_had_its_time_is_dropped_before_its_signatures_are_looked_at() {
    let (mut world, registration, said, [second, _]) = speaking();
    let pool = Mempool::new(Arc::clone(world.chain()), Arc::new(SignatureCache::default()));
    // A false signature on something that is still possible is somebody's fault, on what is past it is not even seen.
    assert_eq!(take(&pool, &[&batch(&[&falsified(&second)])]), [Reject]);
    for past in [&said, &registration] {
        assert_eq!(take(&pool, &[&batch(&[&falsified(past)])]), [Ignore]);
    }
    let expires = second.body().expires.map_or(Height::GENESIS, |expires| expires);
    world.commit_to(expires.get());
    assert_eq!(take(&pool, &[&batch(&[&falsified(&second)])]), [Ignore], "it has expired");
}
