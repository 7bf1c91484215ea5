//! Finality certificates: the precommits by which more than two thirds of the power decided a block.
//!
//! One function, [`Certificate::verify`], judges them for agreement, catch-up, light clients and auditors alike. A
//! certificate is not canonical: two nodes may hold different rounds or signers for one block, so nothing may ever commit
//! to its bytes.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::domain::{self, SignDomain};
use crate::hash::{BlockHash, ChainId};
use crate::key::verify_ed25519;
use crate::position::{Height, Power, Round};
use crate::validators::{ValidatorIndex, ValidatorSet, has_quorum};

/// Most bytes of an encoded certificate: 128 signatures of 66 B and the fields before them.
pub const CERTIFICATE_BYTES_MAX: usize = 128 * 66 + 64;

/// Who decided a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// The block's height.
    pub height: Height,
    /// The round that decided.
    pub round: Round,
    /// The block.
    pub block: BlockHash,
    /// The precommits, strictly ascending by validator.
    pub signatures: Vec<CertificateSignature>,
}

/// One validator's precommit.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CertificateSignature {
    /// The validator's place in the set that decided.
    pub validator: ValidatorIndex,
    /// Its Ed25519 signature over [`precommit_sign_bytes`].
    pub signature: [u8; 64],
}

/// Why a certificate does not show that its block is final. Whoever sent it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is for something else.
    #[error("the certificate is for block {found} at {found_height}, not {expected} at {expected_height}")]
    OtherBlock {
        /// The block it names.
        found: BlockHash,
        /// The height it names.
        found_height: Height,
        /// The block it should name.
        expected: BlockHash,
        /// The height it should name.
        expected_height: Height,
    },
    /// Signers are not strictly ascending.
    #[error("signers must be strictly ascending; {validator} is not")]
    Order {
        /// The signer out of order.
        validator: ValidatorIndex,
    },
    /// A signer that the set does not have.
    #[error("there is no validator {validator}")]
    UnknownValidator {
        /// The signer.
        validator: ValidatorIndex,
    },
    /// A signature that does not verify.
    #[error("the signature of validator {validator} does not verify")]
    Signature {
        /// The signer.
        validator: ValidatorIndex,
    },
    /// Not more than two thirds.
    #[error("power {power} of {total} is not more than two thirds", power = .power.get(), total = .total.get())]
    NoQuorum {
        /// The signers' power.
        power: Power,
        /// The set's power.
        total: Power,
    },
}

impl Certificate {
    /// Checks that more than two thirds of `validators`' power precommitted to `block` at `height` on `chain`. Every
    /// signature must be valid, also those beyond the quorum.
    ///
    /// # Errors
    /// [`CertificateError`]; whoever sent the certificate is to blame.
    pub fn verify(
        &self,
        chain: &ChainId,
        height: Height,
        block: &BlockHash,
        validators: &ValidatorSet,
    ) -> Result<(), CertificateError> {
        if self.block != *block || self.height != height {
            return Err(CertificateError::OtherBlock {
                found: self.block,
                found_height: self.height,
                expected: *block,
                expected_height: height,
            });
        }
        let mut power: u64 = 0;
        let mut previous: Option<ValidatorIndex> = None;
        let message = precommit_sign_bytes(chain, self.height, self.round, &self.block);
        for CertificateSignature { validator, signature } in &self.signatures {
            let validator = *validator;
            if previous.is_some_and(|previous| previous >= validator) {
                return Err(CertificateError::Order { validator });
            }
            previous = Some(validator);
            let member = validators.get(validator).ok_or(CertificateError::UnknownValidator { validator })?;
            verify_ed25519(&member.key, &message, signature).map_err(|_| CertificateError::Signature { validator })?;
            power = power.saturating_add(member.power.get());
        }
        let (power, total) = (Power::new(power), validators.total_power());
        if has_quorum(power, total) { Ok(()) } else { Err(CertificateError::NoQuorum { power, total }) }
    }
}

/// The bytes that a validator signs to precommit to `block`: prefix, chain, height and round as little-endian `u64` and
/// `u32`, block hash. They are the same for every signer.
pub fn precommit_sign_bytes(chain: &ChainId, height: Height, round: Round, block: &BlockHash) -> Vec<u8> {
    vote_sign_bytes(domain::SIGN_PRECOMMIT, chain, height, round, Some(block))
}

/// The layout that all votes share: prefix ‖ chain ‖ u64le height ‖ u32le round ‖ block hash, if there is a block.
#[allow(clippy::arithmetic_side_effects, reason = "a prefix is a short constant")]
pub fn vote_sign_bytes(
    domain: SignDomain,
    chain: &ChainId,
    height: Height,
    round: Round,
    block: Option<&BlockHash>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(domain.prefix().len() + 32 + 8 + 4 + 32);
    bytes.extend_from_slice(domain.prefix().as_bytes());
    bytes.extend_from_slice(chain.as_bytes());
    bytes.extend_from_slice(&height.get().to_le_bytes());
    bytes.extend_from_slice(&round.get().to_le_bytes());
    if let Some(block) = block {
        bytes.extend_from_slice(block.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::{Certificate, CertificateError, CertificateSignature, precommit_sign_bytes};
    use crate::hash::{BlockHash, ChainId, Hash, OrganizationId};
    use crate::position::{Height, Power, Round};
    use crate::validators::{Validator, ValidatorSet};

    fn of_four() -> (ChainId, ValidatorSet, Certificate) {
        let mut secrets: Vec<SigningKey> = (1..=4).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
        secrets.sort_by_key(|secret| secret.verifying_key().to_bytes());
        let validators = secrets
            .iter()
            .map(|secret| Validator {
                key: secret.verifying_key().to_bytes(),
                peer: secret.verifying_key().to_bytes(),
                power: Power::new(1),
                organization: OrganizationId::from_hash(Hash::ZERO),
            })
            .collect();
        let set = ValidatorSet::new(validators).expect("a valid set");
        let chain = ChainId::from_hash(Hash::plain(b"chain"));
        let (height, round, block) = (Height::new(7), Round::new(2), BlockHash::from_hash(Hash::plain(b"block")));
        let message = precommit_sign_bytes(&chain, height, round, &block);
        let signatures = (0u16..)
            .zip(&secrets)
            .take(3)
            .map(|(validator, secret)| CertificateSignature { validator, signature: secret.sign(&message).to_bytes() })
            .collect();
        (chain, set, Certificate { height, round, block, signatures })
    }

    #[test]
    fn three_of_four_make_a_block_final_and_nothing_less_does() {
        let (chain, set, good) = of_four();
        let verify = |certificate: &Certificate| certificate.verify(&chain, good.height, &good.block, &set);
        assert_eq!(verify(&good), Ok(()));

        let mut two = good.clone();
        two.signatures.pop();
        assert!(matches!(verify(&two), Err(CertificateError::NoQuorum { .. })));
        let empty = Certificate { signatures: vec![], ..good.clone() };
        assert!(matches!(verify(&empty), Err(CertificateError::NoQuorum { .. })));

        let mut twice = good.clone();
        twice.signatures[1] = twice.signatures[0].clone();
        assert_eq!(verify(&twice), Err(CertificateError::Order { validator: 0 }));

        let mut padded = good.clone();
        padded.signatures.push(CertificateSignature { validator: 3, signature: [0; 64] });
        assert_eq!(verify(&padded), Err(CertificateError::Signature { validator: 3 }));

        let mut stranger = good.clone();
        stranger.signatures[2].validator = 4;
        assert_eq!(verify(&stranger), Err(CertificateError::UnknownValidator { validator: 4 }));

        let other_round = Certificate { round: Round::new(3), ..good.clone() };
        assert_eq!(verify(&other_round), Err(CertificateError::Signature { validator: 0 }));

        let other_chain = ChainId::from_hash(Hash::plain(b"other"));
        let error = good.verify(&other_chain, good.height, &good.block, &set);
        assert_eq!(error, Err(CertificateError::Signature { validator: 0 }));
    }
}
