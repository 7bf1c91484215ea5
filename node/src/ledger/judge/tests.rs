//! A block is judged the same whether or not its transactions wait in the pool.

use std::sync::Arc;

use cairn_runtime::{CheckDirectly, InvalidBlock};
use cairn_types::{Block, Rejection, SignatureBytes, SignedTransaction, encode};

use super::{build, judge, judge_pooled, tx_root};
use crate::ledger::BlockError;
use crate::mempool::Mempool;
use crate::signature_cache::SignatureCache;
use crate::testing::World;

#[test]
fn what_waits_in_the_pool_is_taken_from_there_and_only_if_it_is_the_very_same() {
    let mut world = World::new();
    world.commit(Vec::new());
    let registrations: Vec<Arc<SignedTransaction>> =
        (0..8).map(|index| Arc::new(world.register(usize::from(index % 3), 50 + index).1)).collect();
    let built = build(world.chain(), &CheckDirectly, 0, world.tip().header.time_ms + 1, registrations.clone());
    let (block, _) = built.expect("readable");
    assert_eq!(block.transactions.len(), 8);
    let pool = Mempool::new(Arc::clone(world.chain()), Arc::new(SignatureCache::default()));
    for registration in &registrations[..5] {
        pool.add(Arc::clone(registration)).expect("valid");
    }
    let pooled = judge_pooled(&pool, &block.bytes).expect("valid");
    let plain = judge(world.chain(), &block.bytes, &CheckDirectly).expect("valid");
    assert_eq!((pooled.hash, &pooled.transactions), (plain.hash, &plain.transactions));
    let is_shared = |place: usize| Arc::ptr_eq(&pooled.transactions[place], &registrations[place]);
    assert_eq!((0..8).map(is_shared).collect::<Vec<_>>(), [[true; 5].as_slice(), &[false; 3]].concat());

    // The same transactions, of which one has another signature beneath: one that waits, and one that does not.
    for place in [2, 6] {
        let mut decoded = Block::from_bytes(&block.bytes).expect("a block");
        let mut changed = registrations[place].transaction().clone();
        let SignatureBytes::Ed25519(bytes) = &mut changed.signatures[0].bytes else { panic!("Ed25519 is used here") };
        bytes[40] ^= 1;
        let mut transactions = registrations.clone();
        transactions[place] = Arc::new(SignedTransaction::new(changed));
        decoded.transactions[place] = transactions[place].bytes().to_vec();
        decoded.header.tx_root = tx_root(&transactions);
        let refused = judge_pooled(&pool, &encode(&decoded)).err().expect("a false signature");
        let is_at_place = matches!(
            refused,
            BlockError::Rules(InvalidBlock::Transaction { index, rejection: Rejection::SignatureInvalid { .. } })
                if usize::try_from(index) == Ok(place)
        );
        assert!(is_at_place, "{refused}");
    }

    // Other transactions under the same header are not the block of that header, whatever they are.
    for transactions in [vec![], vec![b"not a transaction".to_vec()]] {
        let mut decoded = Block::from_bytes(&block.bytes).expect("a block");
        decoded.transactions = transactions;
        let bytes = encode(&decoded);
        assert!(matches!(judge_pooled(&pool, &bytes), Err(BlockError::Substituted)));
        assert!(matches!(judge(world.chain(), &bytes, &CheckDirectly), Err(BlockError::Substituted)));
    }
}
