//! Every limit that all nodes must share and that is not a parameter, with its unit and its reason.

/// Most bytes of one signed transaction: a 32 KiB call holds the largest validator change (128 validators of 104 B) and
/// its council's signatures, and half of a 64 KiB gossip batch.
pub const TRANSACTION_BYTES_MAX: usize = 32 * 1024;

/// Most signatures on one transaction: a council of 32 organizations with two keys each, or one device and its owner.
pub const SIGNATURES_MAX: usize = 64;

/// Most bytes of a block's transactions, the hard cap on the parameter of that name: what a vote round can move between
/// validators at 1 ms a hop without a second's pause, and half of a consensus frame.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// Most transactions in a block, the hard cap on the parameter of that name: the byte limit filled with the smallest
/// attestations, of about 250 B.
pub const BLOCK_TRANSACTIONS_MAX: usize = 4_096;

/// Most bytes of an encoded block: the transactions, a length of four bytes for each, and the header.
pub const ENCODED_BLOCK_BYTES_MAX: usize = BLOCK_BYTES_MAX + 4 * BLOCK_TRANSACTIONS_MAX + 1024;

/// Most validators: a certificate of 128 signatures is 8.5 kB, and verifies in 4 ms.
pub const VALIDATORS_MAX: usize = 128;

/// Most voting power of a whole set, so that sums of power and their triple never overflow 64 bits.
pub const TOTAL_POWER_MAX: u64 = 1 << 60;

/// Most keys in an organization's key set: a board, not a crowd; each costs a signature check.
pub const KEY_SET_KEYS_MAX: usize = 16;

/// Most organizations in the council: each signs every measure, and [`SIGNATURES_MAX`] leaves two keys for each.
pub const COUNCIL_MAX: usize = 32;

/// Most certificates between a device and the key that a manufacturer endorsed: device, two intermediate authorities and
/// the manufacturer's own, as IEEE 802.1AR and Matter have them; each costs a signature check.
pub const CERTIFICATE_CHAIN_MAX: usize = 4;

/// Most bytes of one such certificate: twice what Matter and IEEE 802.1AR certificates with long names take.
pub const CERTIFICATE_DER_BYTES_MAX: usize = 8 * 1024;

/// Longest grant path from the owner down to the holder: a check walks it, so it bounds the work of every attestation.
pub const GRANT_PATH_MAX: usize = 8;

/// Most ancestors of one derivation: a larger one derives in steps.
pub const DERIVED_FROM_MAX: usize = 32;

/// Longest name of an organization, a zone's segment or a stream, in bytes: a DNS label's 63.
pub const NAME_BYTES_MAX: usize = 63;

/// Most segments in a zone path: site, building, floor, ward, room, bay, rack, slot.
pub const ZONE_SEGMENTS_MAX: usize = 8;

/// Longest zone path in bytes, separators included: keeps records and proofs small.
pub const ZONE_BYTES_MAX: usize = 160;

/// Longest title of an organization, in bytes of UTF-8: its legal name.
pub const TITLE_BYTES_MAX: usize = 128;

/// Longest model designation of a device, in bytes of UTF-8.
pub const MODEL_BYTES_MAX: usize = 64;

/// Longest label of a lot, in bytes of UTF-8.
pub const LOT_LABEL_BYTES_MAX: usize = 64;

/// Longest serial number of a device, in bytes of UTF-8; X.509 allows 20 bytes, 40 digits.
pub const SERIAL_BYTES_MAX: usize = 64;

/// Most recoveries that take effect with one block; what is over takes effect with the next. Twice what a block can
/// announce, so a changed delay only piles up for a while.
pub const RECOVERIES_PER_BLOCK_MAX: usize = 2 * BLOCK_TRANSACTIONS_MAX;

/// Most remembered transaction ids that one block forgets: twice what a block can add, so the memory drains faster than
/// it fills, and a block's work stays bounded.
pub const FORGET_PER_BLOCK_MAX: usize = 2 * BLOCK_TRANSACTIONS_MAX;

const _: () = assert!(TRANSACTION_BYTES_MAX < BLOCK_BYTES_MAX, "every valid transaction fits an empty block");
