//! Who a peer is: its Ed25519 network key. libp2p derives the peer id from it, so a finished handshake proves it.
//!
//! Does not know which peers are members.

use std::{fmt, str::FromStr};

use libp2p::{Multiaddr, PeerId, identity::Keypair, multiaddr::Protocol};
use zeroize::Zeroizing;

use crate::error::PeerKeyError;

/// What stands before the 32 key bytes in a libp2p peer id: an identity multihash (0x00) of 36 bytes (0x24), which
/// are a protobuf with key type Ed25519 (0x08 0x01) and a data field of 32 bytes (0x12 0x20).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The secret half of a node's network identity. It cannot be printed and is wiped when dropped.
pub struct NetworkKey(Zeroizing<[u8; 32]>);

impl NetworkKey {
    /// The key with this 32-byte Ed25519 seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The public half, by which peers know this node.
    pub fn peer_key(&self) -> PeerKey {
        let public = self.keypair().public().try_into_ed25519().expect("the pair was made as Ed25519 one line above");
        PeerKey(public.to_bytes())
    }

    /// The form that libp2p wants.
    pub(crate) fn keypair(&self) -> Keypair {
        let mut seed = self.0.clone();
        Keypair::ed25519_from_bytes(seed.as_mut_slice()).expect("every 32 bytes are an Ed25519 seed")
    }
}

/// A peer's identity: its 32-byte Ed25519 public network key. Displays as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey([u8; 32]);

impl PeerKey {
    /// The peer with this public key. Whether the bytes are a point on the curve shows at the handshake.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The libp2p form of this identity, as it stands behind `/p2p/` in an address (`12D3KooW…`).
    pub fn peer_id(&self) -> String {
        self.to_libp2p().to_base58()
    }

    /// The peer that a libp2p peer id names.
    ///
    /// # Errors
    /// The text's author is at fault: not base58, or not an Ed25519 identity.
    pub fn from_peer_id(text: &str) -> Result<Self, PeerKeyError> {
        let peer = PeerId::from_str(text).map_err(|_| PeerKeyError::NotAPeerId { text: text.to_owned() })?;
        Self::from_libp2p(&peer).ok_or_else(|| PeerKeyError::NotEd25519 { text: text.to_owned() })
    }

    /// The peer that the `/p2p/` part of a multiaddr names.
    ///
    /// # Errors
    /// The text's author is at fault: not a multiaddr, no `/p2p/` part, or not an Ed25519 identity.
    pub fn from_address(text: &str) -> Result<Self, PeerKeyError> {
        let address = Multiaddr::from_str(text).map_err(|_| PeerKeyError::NotAnAddress { text: text.to_owned() })?;
        let peer = address.iter().find_map(|part| match part {
            Protocol::P2p(peer) => Some(peer),
            _ => None,
        });
        let peer = peer.ok_or_else(|| PeerKeyError::NoIdentity { text: text.to_owned() })?;
        Self::from_libp2p(&peer).ok_or_else(|| PeerKeyError::NotEd25519 { text: text.to_owned() })
    }

    pub(crate) fn to_libp2p(self) -> PeerId {
        let mut bytes = PEER_ID_PREFIX.to_vec();
        bytes.extend_from_slice(&self.0);
        PeerId::from_bytes(&bytes).expect("an identity multihash of at most 42 bytes is a peer id")
    }

    pub(crate) fn from_libp2p(peer: &PeerId) -> Option<Self> {
        let bytes = peer.to_bytes();
        let key = bytes.strip_prefix(PEER_ID_PREFIX.as_slice())?;
        key.try_into().ok().map(Self)
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_peer_id_are_two_spellings_of_one_identity() {
        for seed in 0..32u8 {
            let key = NetworkKey::from_seed([seed; 32]);
            let peer = key.peer_key();
            assert_eq!(
                peer.to_libp2p(),
                key.keypair().public().to_peer_id(),
                "seed {seed}: libp2p derives the same id"
            );
            assert_eq!(PeerKey::from_peer_id(&peer.peer_id()), Ok(peer));
            assert_eq!(PeerKey::from_address(&format!("/ip4/127.0.0.1/tcp/1/p2p/{}", peer.peer_id())), Ok(peer));
        }
    }

    #[test]
    fn an_address_without_an_ed25519_identity_is_refused_in_words() {
        // A peer id of another key type: the SHA-256 multihash that RSA keys have.
        let rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        let cases = [
            ("/ip4/127.0.0.1/tcp/1", "no /p2p/ part"),
            ("127.0.0.1:1", "not a multiaddr"),
            (&format!("/ip4/127.0.0.1/tcp/1/p2p/{rsa}"), "not an Ed25519 identity"),
        ];
        for (text, reason) in cases {
            let error = PeerKey::from_address(text).expect_err("none of the cases names a peer").to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
