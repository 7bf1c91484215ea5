//! Public keys as points of the curve, so that a device's key is decompressed once and not for each of its signatures: that is
//! a third of what a signature costs in a batch of different keys.
//!
//! It knows keys whose bytes somebody asked for, and holds nothing that those bytes do not say, but for a list of keys that
//! are [set apart](Points::set_apart). Two generations bound the memory: when the younger is full the older is forgotten.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ed25519_dalek::VerifyingKey;

/// Keys in a generation, each of about 240 bytes: both generations together take 16 MB.
const GENERATION_MAX: usize = 32_768;

/// See the module.
#[derive(Default)]
pub(crate) struct Points(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    younger: HashMap<[u8; 32], Point>,
    older: HashMap<[u8; 32], Point>,
}

/// What a key is; `None` if its signatures are to be verified alone.
type Point = Option<VerifyingKey>;

impl Points {
    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Entries come and go whole, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The points of keys; `None` for what is no key, and for keys that are set apart.
    pub(super) fn of(&self, keys: &[[u8; 32]]) -> Vec<Point> {
        let found: Vec<Option<Point>> = {
            let mut generations = self.lock();
            keys.iter().map(|key| generations.find(key)).collect()
        };
        let mut new = Vec::new();
        let points = keys.iter().zip(found).map(|(key, found)| {
            found.unwrap_or_else(|| {
                let point = VerifyingKey::from_bytes(key).ok();
                // Whoever sends noise under other names pays with nothing, so it takes no room.
                new.extend(point.map(|point| (*key, point)));
                point
            })
        });
        let points = points.collect();
        if !new.is_empty() {
            let mut generations = self.lock();
            new.into_iter().for_each(|(key, point)| generations.insert(key, Some(point)));
        }
        points
    }

    /// Has signatures of these keys verified alone from now on.
    pub(super) fn set_apart(&self, keys: impl IntoIterator<Item = [u8; 32]>) {
        let mut generations = self.lock();
        keys.into_iter().for_each(|key| generations.insert(key, None));
    }
}

impl Generations {
    fn find(&mut self, key: &[u8; 32]) -> Option<Point> {
        if let Some(point) = self.younger.get(key) {
            return Some(*point);
        }
        let point = self.older.remove(key)?;
        self.insert(*key, point);
        Some(point)
    }

    fn insert(&mut self, key: [u8; 32], point: Point) {
        if self.younger.len() >= GENERATION_MAX && !self.younger.contains_key(&key) {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, point);
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::{GENERATION_MAX, Points};

    fn key(number: usize) -> [u8; 32] {
        let mut seed = [5; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        SigningKey::from_bytes(&seed).verifying_key().to_bytes()
    }

    #[test]
    fn a_key_that_is_set_apart_stays_so_while_it_is_asked_for_and_the_memory_is_bounded() {
        let points = Points::default();
        let odd = key(0);
        assert_eq!(points.of(&[odd])[0].map(|point| point.to_bytes()), Some(odd));
        points.set_apart([odd]);
        let no_key = [2; 32];
        let some = [key(1), odd, no_key, key(2), key(1)];
        let known = |keys: &[[u8; 32]]| -> Vec<bool> { points.of(keys).iter().map(Option::is_some).collect() };
        for _ in 0..2 {
            assert_eq!(known(&some), [true, false, false, true, true]);
        }
        // The same key is put in as often as others are, under names that stand for as many keys.
        let filler = points.of(&[key(1)])[0];
        for number in 0..3 * GENERATION_MAX {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_le_bytes());
            points.lock().insert(name, filler);
            assert_eq!(known(&[odd]), [false]);
            let generations = points.lock();
            assert!(generations.younger.len() <= GENERATION_MAX && generations.older.len() <= GENERATION_MAX);
        }
    }
}
