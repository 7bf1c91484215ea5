//! The state that a history leaves behind, against what the list says: every entry of it, and every answer about the past
//! that its intervals give.

use std::collections::BTreeMap;

use cairn_proofs::bundle::{DeviceFile, standing_at};
use cairn_tests::oracle::Oracle;
use cairn_types::{DeviceId, Position, state_key};

use crate::ledger::Ledger;

/// The state has the entries that the list leaves behind, and no others.
pub(crate) fn check_state(ledger: &Ledger, oracle: &Oracle) {
    let expected = oracle.before(Position::start_of(ledger.height())).state();
    let found: BTreeMap<Vec<u8>, Vec<u8>> =
        ledger.state.prefix(&[]).map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let show = |entry: Option<&Vec<u8>>| entry.map_or("absent".to_owned(), |value| hex(value));
    for key in expected.keys().chain(found.keys()) {
        let (oracle, rules) = (expected.get(key), found.get(key));
        assert!(
            oracle == rules,
            "after block {}, key {}\n  the oracle: {}\n  the state:  {}",
            ledger.height().get() - 1,
            hex(key),
            show(oracle),
            show(rules)
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of every device and every position in the past, the state as it is at the end says what was so then.
pub(crate) fn check_every_position(ledger: &Ledger, oracle: &Oracle) {
    let end = Position::start_of(ledger.height());
    let files: Vec<(DeviceId, DeviceFile)> = oracle
        .before(end)
        .devices()
        .into_iter()
        .map(|id| {
            let entries = ledger.state.prefix(&state_key::device(&id));
            (id, DeviceFile::read(&id, entries).expect("a registered device has a file"))
        })
        .collect();
    let begin = (0..ledger.height().get()).map(|height| Position::start_of(cairn_types::Height::new(height)));
    let mut positions: Vec<Position> = begin.chain(oracle.events().iter().map(|event| event.position)).collect();
    positions.sort_unstable();
    positions.dedup();
    for position in positions {
        let then = oracle.upto(position);
        for (id, file) in &files {
            let owner = standing_at(&file.owners, position).map(|interval| interval.value);
            assert_eq!(owner, then.owner(id).map(|owner| owner.value), "owner of {id} at {position}");
            let zone = standing_at(&file.placements, position).map(|interval| &interval.value);
            assert_eq!(zone, then.zone(id), "zone of {id} at {position}");
            let status = standing_at(&file.statuses, position).map(|interval| interval.value);
            assert_eq!(status, then.status(id), "status of {id} at {position}");
            let key = standing_at(&file.keys, position).map(|interval| interval.value.key);
            let speaks = status.is_some_and(|status| !status.is_final());
            let by_list = then.key(id).filter(|_| speaks).map(|epoch| epoch.value.key);
            assert_eq!(key, by_list, "key of {id} at {position}");
        }
    }
}
