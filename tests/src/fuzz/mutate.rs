//! Random choices, and how a valid input becomes a hostile one.
//!
//! A mutation knows nothing of the format that it damages, but it knows what formats are made of: lengths and numbers of
//! four and eight bytes, items that repeat, text with digits and quotes. It needs no crate of ours, so that the node's own
//! tests can use it too. The invariant: a seed gives the same bytes on every machine.

use std::ops::Range;

/// SplitMix64: small, and good enough to choose what to break.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The choices of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The choices of one part of a run: the same for the same seed, name and number.
    pub fn of(seed: u64, name: &str, number: u64) -> Self {
        let named = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mut random = Self(seed ^ named.rotate_left(17));
        let first = random.number();
        Self(first ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.number() % bound as u64) as usize }
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A number, more often than not one at which code changes its mind.
    pub fn edge(&mut self) -> u64 {
        match self.below(8) {
            0 => self.number(),
            1 => self.number() & 0xff,
            2 => u64::MAX - self.number() % 3,
            3 => (u64::from(u32::MAX) - 1).wrapping_add(self.number() % 3),
            4 => (i64::MAX as u64 - 1).wrapping_add(self.number() % 3),
            5 => (1_u64 << self.below(64)).wrapping_sub(self.number() % 2),
            _ => self.number() % 4,
        }
    }

    /// So many bytes of no meaning.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number() as u8).collect()
    }

    /// A part of something that long, mostly a short one.
    fn range(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length);
        let most = if self.once_in(4) { length - start } else { 40.min(length - start) };
        start..start + self.below(most + 1)
    }
}

/// Texts that decoders of text have stumbled over, and bytes that are no text.
const WORDS: [&[u8]; 26] = [
    b"\"",
    b"\\",
    b"\0",
    b"\n",
    b"\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[",
    b":",
    b"/",
    b"-",
    b"0",
    b"-0",
    b"null",
    b"18446744073709551616",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{202e}".as_bytes(),
    "\u{fe0f}\u{200d}".as_bytes(),
];

/// Changes `bytes` in one way or a few. `other` is another valid input, to take pieces from; `words` mean something in the
/// format. The result has at most `bytes_max` bytes.
pub fn mutate(random: &mut Random, mut bytes: Vec<u8>, other: &[u8], words: &[&[u8]], bytes_max: usize) -> Vec<u8> {
    let mut changes = 1;
    while changes < 12 && random.once_in(2) {
        changes += 1;
    }
    for _ in 0..changes {
        change(random, &mut bytes, other, words);
        bytes.truncate(bytes_max);
    }
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], words: &[&[u8]]) {
    let length = bytes.len();
    if length == 0 {
        let count = random.below(16);
        *bytes = random.bytes(count);
        return;
    }
    let place = random.below(length);
    match random.below(19) {
        0 | 1 => bytes[place] ^= 1 << random.below(8),
        2 => bytes[place] = *random.pick(&[0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff]),
        3 => bytes[place] = random.number() as u8,
        4 => bytes[place] = bytes[place].wrapping_add(if random.once_in(2) { 1 } else { 0xff }),
        5 | 6 => number_at(random, bytes, place),
        7 | 8 => length_at(random, bytes, place),
        9 => {
            let cut = if random.once_in(2) { place } else { length - 1 };
            bytes.truncate(cut);
        }
        10 => {
            let count = *random.pick(&[1, 2, 4, 8, 32, 64, 300]);
            let tail = if random.once_in(2) { vec![random.number() as u8; count] } else { random.bytes(count) };
            bytes.extend(tail);
        }
        11 => drop(bytes.drain(random.range(length))),
        12 => {
            // The same piece again, once or often.
            let piece = bytes[random.range(length)].to_vec();
            let times = if random.once_in(16) { random.below(500) } else { 1 };
            let repeated = piece.repeat(times.min(40_000 / piece.len().max(1)));
            drop(bytes.splice(place..place, repeated));
        }
        13 => {
            let (from, to) = (random.range(length), random.below(length));
            let piece = bytes[from].to_vec();
            let end = length.min(to + piece.len());
            bytes[to..end].copy_from_slice(&piece[..end - to]);
        }
        14 => {
            // Two pieces change places, as keys or signatures out of order do.
            let size = (*random.pick(&[1, 4, 8, 32, 33, 64, 66])).min(length / 2);
            let (first, second) = (random.below(length - size + 1), random.below(length - size + 1));
            if first.abs_diff(second) >= size {
                (0..size).for_each(|step| bytes.swap(first + step, second + step));
            }
        }
        15 if !other.is_empty() => {
            let from = random.range(other.len());
            let piece = other[from.clone()].to_vec();
            if random.once_in(2) {
                // At the place where it stands in the other one.
                let start = from.start.min(length);
                let end = length.min(start + piece.len());
                drop(bytes.splice(start..end, piece));
            } else {
                drop(bytes.splice(place..place, piece));
            }
        }
        16 if !other.is_empty() => {
            let cut = random.below(other.len());
            bytes.truncate(place);
            bytes.extend_from_slice(&other[cut..]);
        }
        17 if !words.is_empty() => put_word(random, bytes, place, words),
        _ => put_word(random, bytes, place, &WORDS),
    }
}

fn put_word(random: &mut Random, bytes: &mut Vec<u8>, place: usize, words: &[&[u8]]) {
    let word = random.pick(words).to_vec();
    let end = if random.once_in(2) { place } else { bytes.len().min(place + word.len()) };
    drop(bytes.splice(place..end, word));
}

/// An edge where a number may stand.
fn number_at(random: &mut Random, bytes: &mut [u8], place: usize) {
    let mut edge = random.edge().to_le_bytes();
    let width = *random.pick(&[1, 2, 4, 8]);
    if random.once_in(4) {
        edge[..width].reverse();
    }
    for (byte, new) in bytes[place..].iter_mut().zip(&edge[..width]) {
        *byte = *new;
    }
}

/// Another length where something stands that could be one.
fn length_at(random: &mut Random, bytes: &mut [u8], place: usize) {
    let could_be = |at: &usize| match bytes[*at..] {
        [low, high, 0, 0, ..] => usize::from(u16::from_le_bytes([low, high])) <= bytes.len(),
        _ => false,
    };
    let Some(at) = (place..bytes.len()).chain(0..place).find(could_be) else {
        return number_at(random, bytes, place);
    };
    let Some(field) = bytes.get_mut(at..at + 4).and_then(|field| <&mut [u8; 4]>::try_from(field).ok()) else { return };
    let length = u32::from_le_bytes(*field);
    let new = match random.below(6) {
        0 => length.wrapping_add(1),
        1 => length.wrapping_sub(1),
        2 => 0,
        3 => u32::MAX,
        4 => length.wrapping_mul(2).wrapping_add(1),
        _ => random.edge() as u32,
    };
    *field = new.to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::{Random, mutate};

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_one_others() {
        let made = |seed| {
            let mut random = Random::of(seed, "target", 7);
            (0..200)
                .map(|_| mutate(&mut random, b"0123456789".repeat(9), b"other", &[b"word"], 1_000))
                .collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(1).iter().all(|bytes| bytes.len() <= 1_000));
    }
}
