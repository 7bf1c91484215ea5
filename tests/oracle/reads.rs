//! The state that a history leaves behind, against what the list says: every entry of it, its root, and every answer about
//! the past that its intervals give; and how it may grow.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use cairn_proofs::bundle::{DeviceFile, standing_at};
use cairn_proofs::tree::StateTree;
use cairn_tests::oracle::Oracle;
use cairn_types::governance::Upgrade;
use cairn_types::record::{
    DeviceKey, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery, StreamRecord,
};
use cairn_types::state_key::{self, Family};
use cairn_types::{DeviceId, DeviceStatus, Height, Interval, OrganizationId, Parameters, Position, ValidatorSet, Zone};

use crate::ledger::Ledger;

/// The state has the entries that the list leaves behind, and no others.
pub(crate) fn check_state(ledger: &Ledger, oracle: &Oracle) {
    let expected = oracle.before(Position::start_of(ledger.height())).state();
    let found: BTreeMap<Vec<u8>, Vec<u8>> =
        ledger.state.prefix(&[]).map(|(key, value)| (key, value.into_owned())).collect();
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
    // The root is a function of the list alone, however the state came to be.
    let at_once = StateTree::from_sorted(expected).expect("a map is sorted");
    assert_eq!(at_once.root(), ledger.state.root());
}

/// Of what was known after block `height`, nothing is taken back: intervals are only closed, later, and doubt only moves
/// earlier; records stay, apart from counts, remembered ids and what is yet to come.
pub(crate) fn check_growth(before: &StateTree, after: &StateTree, height: Height) {
    for (key, old) in before.prefix(&[]) {
        let new = after.get(&key);
        let (old, new) = (old.as_ref(), new.as_deref());
        let grown = match (key[0], key.get(33)) {
            (REMEMBERED | USAGE | DUE_RECOVERY, _) => true,
            (PARAMETERS, _) => grows::<Parameters>(old, new, height),
            (ORGANIZATION, Some(0)) => organization_grows(old, new, height),
            (ORGANIZATION, Some(_)) => grows::<OrganizationKeys>(old, new, height),
            (DEVICE, Some(1)) => grows::<DeviceKey>(old, new, height),
            (DEVICE, Some(2 | 6)) => grows::<OrganizationId>(old, new, height),
            (DEVICE, Some(3)) => grows::<DeviceStatus>(old, new, height),
            (DEVICE, Some(4)) => grows::<Zone>(old, new, height),
            (DEVICE, Some(5)) => grows::<Recovery>(old, new, height),
            (GRANT, _) => grows::<GrantTerms>(old, new, height),
            (STREAM, _) => stream_grows(old, new, height),
            (COUNCIL, _) => grows::<Vec<OrganizationId>>(old, new, height),
            (VALIDATORS, _) => grows::<ValidatorSet>(old, new, height),
            (UPGRADE, _) => grows::<Upgrade>(old, new, height),
            (LOT, _) => grows::<LotRecord>(old, new, height),
            _ => new == Some(old),
        };
        assert!(grown, "known after block {height} and changed since: key {}", hex(&key));
    }
}

const PARAMETERS: u8 = Family::Parameters as u8;
const ORGANIZATION: u8 = Family::Organization as u8;
const DEVICE: u8 = Family::Device as u8;
const GRANT: u8 = Family::Grant as u8;
const STREAM: u8 = Family::Stream as u8;
const REMEMBERED: u8 = Family::Remembered as u8;
const COUNCIL: u8 = Family::Council as u8;
const VALIDATORS: u8 = Family::Validators as u8;
const UPGRADE: u8 = Family::Upgrade as u8;
const LOT: u8 = Family::Lot as u8;
const USAGE: u8 = Family::Usage as u8;
const DUE_RECOVERY: u8 = Family::DueRecovery as u8;

fn both<T: BorshDeserialize>(old: &[u8], new: Option<&[u8]>) -> Option<(T, T)> {
    let read = |bytes: &[u8]| borsh::from_slice(bytes).expect("the state holds records");
    Some((read(old), read(new?)))
}

/// Whether it was open, and was closed above `height`, or is as it was.
fn closes(old: Option<Position>, new: Option<Position>, height: Height) -> bool {
    old == new || (old.is_none() && new.is_some_and(|to| to.height > height))
}

fn grows<T: BorshDeserialize + PartialEq>(old: &[u8], new: Option<&[u8]>, height: Height) -> bool {
    both::<Interval<T>>(old, new).is_some_and(|(old, new)| {
        let doubt = match (old.suspect_since, new.suspect_since) {
            (Some(old), Some(new)) => new <= old,
            (old, _) => old.is_none(),
        };
        old.value == new.value && old.from == new.from && closes(old.to, new.to, height) && doubt
    })
}

fn organization_grows(old: &[u8], new: Option<&[u8]>, height: Height) -> bool {
    both::<OrganizationRecord>(old, new).is_some_and(|(old, new)| {
        closes(old.expelled, new.expelled, height) && OrganizationRecord { expelled: new.expelled, ..old } == new
    })
}

fn stream_grows(old: &[u8], new: Option<&[u8]>, height: Height) -> bool {
    both::<StreamRecord>(old, new).is_some_and(|(old, new)| {
        let said = match new.count.cmp(&old.count) {
            Ordering::Less => false,
            Ordering::Equal => (new.head, new.head_position, &new.peaks) == (old.head, old.head_position, &old.peaks),
            Ordering::Greater => new.head_position.height > height,
        };
        let opened = |record: &StreamRecord| (record.device, record.name.clone(), record.cadence_s, record.opened);
        let frozen = old.forked_at.is_none_or(|old| new.forked_at.is_some_and(|new| new <= old));
        said && frozen && opened(&old) == opened(&new) && closes(old.closed, new.closed, height)
    })
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
