//! What was read of devices, for all who read any state: from block to block, and from thread to thread.
//!
//! A fleet of ten thousand says a thing each before the first speaks again, so what is kept for one block is of no use to the
//! next. Here it stays. Each entry has the hash of the part of the state in which it was read, and whoever asks says the hash
//! that this part has where he reads: what is under one hash is the same everywhere, so no entry is ever wrong, and none
//! needs to be dropped when the state moves on. The part of all devices is looked at first, because it is near, and seldom
//! changes while they only attest; then the device's own, which is some twenty nodes away. It decides nothing.
//!
//! The bound: no more than twice [`GENERATION_MAX`] entries. When as many are young, those that nobody asked for since the
//! last time go.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_types::state_key::{self, Family};
use cairn_types::{DeviceId, Hash};

use super::State;
use super::memo::DeviceFacts;

/// Devices of one generation. Each takes about 330 bytes, so two of them take 22 MB at most.
const GENERATION_MAX: usize = 32_768;

/// See the module.
#[derive(Debug, Default)]
pub struct Known(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<DeviceId, Entry>,
    old: BTreeMap<DeviceId, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Of the part of all devices, where it was read or found last; `None` if it was not whole there.
    all: Option<Hash>,
    /// Of the part in which it was read.
    part: Hash,
    facts: Arc<DeviceFacts>,
}

impl Known {
    /// What the state says of a device; `read` is asked if it is not known.
    pub(super) fn facts(
        &self,
        state: &impl State,
        id: &DeviceId,
        read: impl FnOnce() -> DeviceFacts,
    ) -> Arc<DeviceFacts> {
        let all = state.hash_of_part(&[Family::Device as u8]);
        let found = self.find(id);
        if let Some(found) = &found
            && all.is_some()
            && found.all == all
        {
            return Arc::clone(&found.facts);
        }
        let Some(part) = state.hash_of_part(&state_key::device(id)) else { return Arc::new(read()) };
        let found = found.filter(|found| found.part == part).map(|found| found.facts);
        let facts = found.unwrap_or_else(|| Arc::new(read()));
        // Anybody may ask for devices that nobody has.
        if facts.owner.is_some() {
            self.keep(*id, Entry { all, part, facts: Arc::clone(&facts) });
        }
        facts
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Entries come and go whole, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &DeviceId) -> Option<Entry> {
        let mut generations = self.lock();
        if let Some(entry) = generations.young.get(id) {
            return Some(entry.clone());
        }
        let entry = generations.old.remove(id)?;
        generations.insert(*id, entry.clone());
        Some(entry)
    }

    fn keep(&self, id: DeviceId, entry: Entry) {
        self.lock().insert(id, entry);
    }
}

impl Generations {
    fn insert(&mut self, id: DeviceId, entry: Entry) {
        if self.young.len() >= GENERATION_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(id, entry);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairn_proofs::tree::StateTree;
    use cairn_types::record::{DeviceKey, Interval};
    use cairn_types::state_key::{self, DeviceFacet};
    use cairn_types::{DeviceId, Hash, Height, OrganizationId, Position, PublicKey};

    use super::{GENERATION_MAX, Known};
    use crate::state::memo::{DeviceFacts, device_facts};
    use crate::state::{Changes, Overlay, put};

    fn device(number: usize) -> DeviceId {
        DeviceId::from_hash(Hash::plain(&number.to_be_bytes()))
    }

    /// A device with an owner and a key, both named by numbers.
    fn write(changes: &mut Changes, id: &DeviceId, owner: u8, key: u8) {
        let from = Position::start_of(Height::new(1));
        let facet = |facet| state_key::ordinal(state_key::device_facet(id, facet), 0);
        let owner = OrganizationId::from_hash(Hash::plain(&[owner]));
        put(changes, facet(DeviceFacet::Owner), &Interval::open(owner, from));
        let key = DeviceKey { key: PublicKey::Ed25519([key; 32]), next: PublicKey::Ed25519([key; 32]).commitment() };
        put(changes, facet(DeviceFacet::Key), &Interval::open(key, from));
    }

    #[test]
    fn what_is_known_of_one_state_is_never_told_of_another() {
        let known = Arc::new(Known::default());
        let mut states = vec![StateTree::new()];
        for round in 0..6u8 {
            let mut changes = Changes::new();
            for number in 0..40usize {
                // In each round another third changes.
                if number % 3 == usize::from(round) % 3 {
                    write(&mut changes, &device(number), round, round.wrapping_mul(7));
                }
            }
            let state = states.last().expect("one").apply(&changes);
            states.push(state);
        }
        let tell = |state: &StateTree, number: usize| device_facts(&Overlay::knowing(state, &known), &device(number));
        for (place, state) in states.iter().chain(states.iter().rev()).enumerate() {
            for number in 0..40 {
                let plain = device_facts(&Overlay::new(state), &device(number));
                assert_eq!(tell(state, number), plain, "device {number} in state {place}");
            }
        }
        // Laid over a state, a change of the device is seen, and not kept for those who do not see it.
        let state = states.last().expect("one");
        let mut changes = Changes::new();
        write(&mut changes, &device(5), 99, 99);
        let mut overlay = Overlay::knowing(state, &known);
        let before = device_facts(&overlay, &device(5));
        overlay.extend(changes);
        let after = device_facts(&overlay, &device(5));
        assert_eq!(after.key, Some(PublicKey::Ed25519([99; 32])));
        assert_eq!(tell(state, 5), before);
        assert_ne!(before, after);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes_in_time() {
        let known = Known::default();
        let owner = Some((OrganizationId::from_hash(Hash::plain(b"owner")), Position::start_of(Height::new(1))));
        let facts = || DeviceFacts { key: None, owner, status: None, zone: None };
        let mut changes = Changes::new();
        write(&mut changes, &device(0), 1, 1);
        let state = StateTree::new().apply(&changes);
        for number in 0..3 * GENERATION_MAX {
            known.facts(&state, &device(number), facts);
            known.facts(&state, &device(0), || panic!("it was asked for a moment ago"));
            let all = known.0.lock().expect("not poisoned");
            assert!(all.young.len() + all.old.len() <= 2 * GENERATION_MAX);
        }
        let mut is_read = false;
        known.facts(&state, &device(1), || {
            is_read = true;
            facts()
        });
        assert!(is_read, "nobody asked for it in two generations");
    }
}
