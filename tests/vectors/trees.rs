//! Accumulators of up to nine items, with the proof of each.

use cairn_proofs::accumulator::{prove_in, root_of};
use cairn_types::Hash;
use serde_json::{Value, json};

use crate::Vector;
use crate::readable::Readable;
use crate::samples::word;

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    let accumulator = |count: u64| {
        let items: Vec<Hash> = (0..count).map(|number| word(&format!("item {number}"))).collect();
        let root = root_of(&items);
        let proofs: Vec<Value> = (0..count)
            .map(|index| {
                let proof = prove_in(&items, index).expect("the item is in the list");
                let item = items.get(usize::try_from(index).expect("small")).expect("the item is in the list");
                assert_eq!(proof.verify(item, count, &root), Ok(()));
                json!({ "index": index.to_string(), "siblings": proof.siblings.readable() })
            })
            .collect();
        vec![
            ("name", json!(format!("{count} items"))),
            ("items", items.readable()),
            ("root", root.readable()),
            ("proofs", json!(proofs)),
        ]
    };
    (0..=9).map(accumulator).collect()
}
