//! The four hashes of the definition, each with its own first byte (a value's own hash has none: it never stands where
//! another could). Knows bytes only.

use cairn_types::Hash;

use super::KEY_BYTES_MAX;

const LEAF: u8 = 0x00;
const BRANCH: u8 = 0x01;
const ROOT: u8 = 0x02;

/// `B3(value)`: all that a leaf commits to of its value, so an absence can be proven without showing a foreign value.
pub(super) fn value(value: &[u8]) -> Hash {
    Hash::plain(value)
}

/// `B3(0x00 ‖ u8 length of key ‖ key ‖ value hash)`
pub(super) fn leaf(key: &[u8], value_hash: &Hash) -> Hash {
    let length = u8::try_from(key.len()).expect("a leaf's key has at most 255 bytes");
    let mut input = [0; 2 + KEY_BYTES_MAX + 32];
    let (head, rest) = input.split_at_mut(2);
    head.copy_from_slice(&[LEAF, length]);
    let (key_part, rest) = rest.split_at_mut(usize::from(length));
    key_part.copy_from_slice(key);
    let (hash_part, _) = rest.split_at_mut(32);
    hash_part.copy_from_slice(value_hash.as_bytes());
    let end = key.len().saturating_add(2 + 32);
    Hash::plain(input.get(..end).expect("the longest key fits"))
}

/// `B3(0x01 ‖ u16le p ‖ left ‖ right)`
pub(super) fn branch(p: u16, left: &Hash, right: &Hash) -> Hash {
    let mut input = [0; 1 + 2 + 32 + 32];
    input[0] = BRANCH;
    input[1..3].copy_from_slice(&p.to_le_bytes());
    input[3..35].copy_from_slice(left.as_bytes());
    input[35..].copy_from_slice(right.as_bytes());
    Hash::plain(&input)
}

/// `B3(0x02 ‖ u64le count ‖ T)`; of the empty map, T is 32 zero bytes.
pub(super) fn state_root(count: u64, top: Option<&Hash>) -> Hash {
    let mut input = [0; 1 + 8 + 32];
    input[0] = ROOT;
    input[1..9].copy_from_slice(&count.to_le_bytes());
    input[9..].copy_from_slice(top.unwrap_or(&Hash::ZERO).as_bytes());
    Hash::plain(&input)
}
