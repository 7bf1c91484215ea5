//! The virtual bits of a key: nine for each byte, `1 b7 … b0`, and a final `0`.
//!
//! Knows positions and nothing of nodes or hashes. The invariant: of two different keys, the one with bit 0 at their first
//! difference is the lower one in the order of bytes.

#![allow(clippy::arithmetic_side_effects, reason = "a position is at most nine times 256, and an offset below nine")]

/// Virtual bits that one byte of a key gives.
pub(super) const BITS_PER_BYTE: usize = 9;

/// A position above that of every virtual bit of every key.
pub(super) const BEYOND: u16 = u16::MAX;

/// The virtual bit of `key` at position `p`; beyond the key's end, 0.
pub(super) fn bit(key: &[u8], p: u16) -> bool {
    let p = usize::from(p);
    match (key.get(p / BITS_PER_BYTE), p % BITS_PER_BYTE) {
        (None, _) => false,
        (Some(_), 0) => true,
        (Some(byte), offset) => (byte >> (BITS_PER_BYTE - 1 - offset)) & 1 == 1,
    }
}

/// The first position at which the virtual bits of two keys differ; `None` if the keys are equal.
///
/// The shorter key may have at most 256 bytes, which holds whenever one of the two is in a map.
pub(super) fn first_difference(a: &[u8], b: &[u8]) -> Option<u16> {
    let same = common(a, b);
    fork(a.get(same), b.get(same), same)
}

/// The same for two keys that have their first `same` bytes in common, and then go on with these.
pub(super) fn fork(a: Option<&u8>, b: Option<&u8>, same: usize) -> Option<u16> {
    let within = match (a, b) {
        (None, None) => return None,
        // 1 + the number of leading bits in which the two bytes agree, which is at most 7.
        (Some(a), Some(b)) => 1 + (a ^ b).leading_zeros() as usize,
        // One key ends here: its 0 meets the other's 1.
        (Some(_), None) | (None, Some(_)) => 0,
    };
    let position = BITS_PER_BYTE * same + within;
    Some(u16::try_from(position).expect("keys that are compared share at most 256 bytes"))
}

/// How many bytes two strings have in common at their beginning.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = 8;
    let words = a.as_chunks::<WORD>().0.iter().zip(b.as_chunks::<WORD>().0);
    let same = words.take_while(|(a, b)| a == b).count() * WORD;
    let (a, b) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    same + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
