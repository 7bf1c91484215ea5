//! Every domain that Cairn hashes or signs under, in one list.
//!
//! A hash domain is a context of BLAKE3's key derivation mode (`blake3::derive_key`, BLAKE3 paper section 2.3), so two
//! domains can never collide. A signature domain is a prefix of the signed bytes, because a secure element signs what it
//! is given. The `v1` is part of the text: changed bytes get a new domain, never a second meaning.

/// A hash domain: a context string of `blake3::derive_key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashDomain(pub(crate) &'static str);

impl HashDomain {
    /// The context string, as a second implementation needs it.
    pub const fn context(self) -> &'static str {
        self.0
    }
}

/// A signature domain: the first bytes of every message signed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignDomain(pub(crate) &'static str);

impl SignDomain {
    /// The prefix itself: ASCII, no terminator.
    pub const fn prefix(self) -> &'static str {
        self.0
    }
}

/// Block header → block hash; of block 0, the chain id.
pub const BLOCK: HashDomain = HashDomain("cairn block v1");
/// Transaction body → transaction id.
pub const TRANSACTION: HashDomain = HashDomain("cairn transaction v1");
/// Transaction with its signatures → leaf of the block's transaction accumulator.
pub const SIGNED_TRANSACTION: HashDomain = HashDomain("cairn signed transaction v1");
/// Organization inception → organization id.
pub const ORGANIZATION: HashDomain = HashDomain("cairn organization v1");
/// Device inception → device id.
pub const DEVICE: HashDomain = HashDomain("cairn device v1");
/// Public key → commitment to it, made one rotation ahead.
pub const KEY_COMMITMENT: HashDomain = HashDomain("cairn key commitment v1");
/// Key set → commitment to it, made one rotation ahead.
pub const KEY_SET_COMMITMENT: HashDomain = HashDomain("cairn key set commitment v1");
/// Transaction id of a `Grant` → grant id.
pub const GRANT: HashDomain = HashDomain("cairn grant v1");
/// Device id and stream name → stream id.
pub const STREAM: HashDomain = HashDomain("cairn stream v1");
/// Transaction id of an `EndorseLot` → lot id.
pub const LOT: HashDomain = HashDomain("cairn lot v1");
/// What a manufacturer knows of one device of a lot → item of the lot's accumulator.
pub const LOT_LEAF: HashDomain = HashDomain("cairn lot leaf v1");
/// Validator set → validators root.
pub const VALIDATORS: HashDomain = HashDomain("cairn validators v1");
/// Salt and content → content hash of a private payload.
pub const SALTED_CONTENT: HashDomain = HashDomain("cairn salted content v1");
/// A scope → the state key under which its grants are listed.
pub const SCOPE: HashDomain = HashDomain("cairn scope v1");

/// A principal's signature over a transaction.
pub const SIGN_TRANSACTION: SignDomain = SignDomain("cairn sign transaction v1");
/// A certified key's word that a device is what the certificate says.
pub const SIGN_ENDORSEMENT: SignDomain = SignDomain("cairn sign endorsement v1");
/// A validator's proposal.
pub const SIGN_PROPOSAL: SignDomain = SignDomain("cairn sign proposal v1");
/// A validator's prevote for a block.
pub const SIGN_PREVOTE: SignDomain = SignDomain("cairn sign prevote v1");
/// A validator's prevote for no block.
pub const SIGN_PREVOTE_NIL: SignDomain = SignDomain("cairn sign nil prevote v1");
/// A validator's precommit for a block; a certificate is made of these.
pub const SIGN_PRECOMMIT: SignDomain = SignDomain("cairn sign precommit v1");
/// A validator's precommit for no block.
pub const SIGN_PRECOMMIT_NIL: SignDomain = SignDomain("cairn sign nil precommit v1");

/// All hash domains, for the test that keeps them apart and for the specification's table.
pub const HASH_DOMAINS: [HashDomain; 14] = [
    BLOCK,
    TRANSACTION,
    SIGNED_TRANSACTION,
    ORGANIZATION,
    DEVICE,
    KEY_COMMITMENT,
    KEY_SET_COMMITMENT,
    GRANT,
    STREAM,
    LOT,
    LOT_LEAF,
    VALIDATORS,
    SALTED_CONTENT,
    SCOPE,
];

/// All signature domains.
pub const SIGN_DOMAINS: [SignDomain; 7] = [
    SIGN_TRANSACTION,
    SIGN_ENDORSEMENT,
    SIGN_PROPOSAL,
    SIGN_PREVOTE,
    SIGN_PREVOTE_NIL,
    SIGN_PRECOMMIT,
    SIGN_PRECOMMIT_NIL,
];

#[cfg(test)]
mod tests {
    use super::{HASH_DOMAINS, SIGN_DOMAINS};

    #[test]
    fn no_domain_is_another_or_begins_another() {
        let all: Vec<&str> = HASH_DOMAINS.iter().map(|d| d.0).chain(SIGN_DOMAINS.iter().map(|d| d.0)).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(a.starts_with("cairn ") && a.ends_with(" v1"), "{a}");
            for (j, b) in all.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{a} begins {b}");
            }
        }
    }
}
