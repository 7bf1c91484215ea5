//! Why a transaction is refused: one variant, one code and one name for each rule.
//!
//! The rules that refuse are in `cairn-runtime`. The table stands here because users meet it everywhere: in the answers
//! of JSON-RPC, in the command line and in the specification. Codes never change their meaning.

use crate::device::DeviceStatus;
use crate::grant::{Action, Dimension};
use crate::hash::{BlockHash, ChainId, DeviceId, GrantId, OrganizationId, StreamId, TransactionId};
use crate::key::KeyError;
use crate::organization::Principal;
use crate::position::Height;
use crate::stream::AttestationRef;

macro_rules! rejections {
    ($($(#[$doc:meta])* $code:literal $text:literal $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })?,)*) => {
        /// Why a transaction is refused. Whoever signed or sent it is to blame.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Rejection {
            $(
                $(#[$doc])*
                #[error($text)]
                $variant $({ $($(#[$field_doc])* $field: $type),* })?,
            )*
        }

        impl Rejection {
            /// Code and name of every rejection, in the order of the codes.
            pub const TABLE: &'static [(u16, &'static str)] = &[$(($code, stringify!($variant))),*];

            /// The rejection's code, unique and stable.
            pub const fn code(&self) -> u16 {
                match self {
                    $(Self::$variant { .. } => $code,)*
                }
            }

            /// The rule's name: the variant's.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)*
                }
            }
        }
    };
}

rejections! {
    /// Not the encoding of a transaction.
    100 "not a transaction: {reason}" Malformed {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// More bytes than a transaction may have.
    101 "{length} bytes, but a transaction has at most {max}" Oversized {
        /// Bytes given.
        length: usize,
        /// The cap.
        max: usize,
    },
    /// Made for another network.
    102 "made for network {found}, this is {expected}" WrongChain {
        /// The network it names.
        found: ChainId,
        /// This network.
        expected: ChainId,
    },
    /// Included, or remembered as included, already.
    103 "transaction {id} is in the ledger already" Duplicate {
        /// The transaction.
        id: TransactionId,
    },
    /// Its last height has passed.
    104 "expired at height {expires}, this would be height {height}" Expired {
        /// The last height it allowed.
        expires: Height,
        /// The height of the block it could be in.
        height: Height,
    },
    /// Only stream calls may leave the expiry out.
    105 "a {call} needs an expiry" ExpiryMissing {
        /// The call.
        call: &'static str,
    },
    /// The expiry lies further from `not_before` than ids are remembered.
    106 "expires at {expires}, more than {lifetime_max} heights after its not_before {not_before}" LifetimeTooLong {
        /// Its expiry.
        expires: Height,
        /// The height of its `not_before`.
        not_before: Height,
        /// The parameter.
        lifetime_max: u64,
    },
    /// `not_before` names no final block of this chain.
    107 "not_before names block {hash} at height {height}, which is not a final block here" NotBeforeUnknown {
        /// The height named.
        height: Height,
        /// The hash named.
        hash: BlockHash,
    },
    /// A field that is outside its limit.
    108 "{field}: {reason}" FieldInvalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More signatures than a transaction may have.
    110 "{count} signatures, but a transaction has at most {max}" TooManySignatures {
        /// Signatures given.
        count: usize,
        /// The cap.
        max: usize,
    },
    /// Signatures are not strictly ascending by signer and key.
    111 "signatures must be strictly ascending by signer and key; number {index} is not" SignatureOrder {
        /// The signature, from 0.
        index: usize,
    },
    /// Somebody had to sign and did not, or not with enough keys.
    112 "{signer} must sign with {needed} keys, {found} did" SignatureMissing {
        /// Who must sign.
        signer: Principal,
        /// With how many keys.
        needed: u8,
        /// How many did.
        found: u8,
    },
    /// A signature that the call does not ask for.
    113 "no signature of {signer} with key {key} is asked for" SignatureUnexpected {
        /// Who signed.
        signer: Principal,
        /// With which key.
        key: u8,
    },
    /// A signature that does not verify.
    114 "the signature of {signer} with key {key} does not verify" SignatureInvalid {
        /// Who should have signed.
        signer: Principal,
        /// With which key.
        key: u8,
    },
    /// The signer may not make this call.
    115 "{signer} may not sign a {call}; {needed}" SignerNotEntitled {
        /// Who signed.
        signer: Principal,
        /// The call.
        call: &'static str,
        /// Who may.
        needed: &'static str,
    },
    /// No such organization.
    120 "organization {organization} is not known" OrganizationUnknown {
        /// The organization.
        organization: OrganizationId,
    },
    /// No such device.
    130 "device {device} is not registered" DeviceUnknown {
        /// The device.
        device: DeviceId,
    },
    /// The device is there already.
    131 "device {device} is registered already" DeviceExists {
        /// The device.
        device: DeviceId,
    },
    /// The device may not do this in its status.
    132 "device {device} is {status}" DeviceStatusForbids {
        /// The device.
        device: DeviceId,
        /// Its status.
        status: DeviceStatus,
    },
    /// No way leads from one status to the other.
    133 "device {device} is {from}, from which it cannot become {to}" StatusTransition {
        /// The device.
        device: DeviceId,
        /// Its status.
        from: DeviceStatus,
        /// The status asked for.
        to: DeviceStatus,
    },
    /// `suspect_since` is given where it has no meaning, or does not move earlier.
    134 "suspect_since {reason}" SuspectSinceInvalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key that may not be registered.
    135 "key: {reason}" KeyInvalid {
        /// What is wrong with it.
        reason: KeyError,
    },
    /// A key that somebody has used before.
    136 "the key was used before, by {by}" KeyUsed {
        /// By whom.
        by: Principal,
    },
    /// The new key is not the one that the open epoch committed to.
    137 "the key is not the one to which device {device} committed" KeyNotCommitted {
        /// The device.
        device: DeviceId,
    },
    /// The zone is in another organization's namespace than the device's owner.
    138 "zone of organization {organization}, but the device's owner is {owner}" ZoneForeign {
        /// Whose namespace.
        organization: OrganizationId,
        /// The owner.
        owner: OrganizationId,
    },
    /// The device stands there already.
    139 "device {device} stands there already" PlacementUnchanged {
        /// The device.
        device: DeviceId,
    },
    /// No such grant.
    140 "grant {grant} is not known" GrantUnknown {
        /// The grant.
        grant: GrantId,
    },
    /// The grant, or one above it, was revoked.
    141 "grant {grant} was revoked" GrantRevoked {
        /// The grant that was revoked.
        grant: GrantId,
    },
    /// The grant is not the signer's.
    142 "grant {grant} is not held by {signer}" GrantNotHeld {
        /// The grant.
        grant: GrantId,
        /// Who claims it.
        signer: Principal,
    },
    /// What is asked exceeds the grant, or one above it.
    143 "exceeds grant {grant} in {dimension}" GrantExceeded {
        /// The grant that is exceeded.
        grant: GrantId,
        /// In which way.
        dimension: Dimension,
    },
    /// The path to the owner is too long.
    144 "grant {grant} would be more than {max} links from the owner" GrantPathTooLong {
        /// The parent.
        grant: GrantId,
        /// The cap.
        max: usize,
    },
    /// Whoever stands at the top of the grant's path does not own what it is used for.
    145 "the top of grant {grant} does not own the target; {owner} does" GrantRootNotOwner {
        /// The top grant.
        grant: GrantId,
        /// The owner of the target.
        owner: OrganizationId,
    },
    /// The action needs a grant or ownership, and the signer has neither.
    146 "{signer} has no authority to {action} there" Unauthorized {
        /// Who signed.
        signer: Principal,
        /// What they wanted to do.
        action: Action,
    },
    /// Revoked already, and `suspect_since` does not move earlier.
    147 "grant {grant} is revoked already" GrantRevokedAlready {
        /// The grant.
        grant: GrantId,
    },
    /// No such stream.
    150 "stream {stream} is not open" StreamUnknown {
        /// The stream.
        stream: StreamId,
    },
    /// The device has a stream of that name.
    151 "stream {stream} is open already" StreamExists {
        /// The stream.
        stream: StreamId,
    },
    /// The stream takes nothing more.
    152 "stream {stream} is closed or frozen" StreamEnded {
        /// The stream.
        stream: StreamId,
    },
    /// Not the next in the stream: something before it is missing, or it was said already.
    153 "stream {stream} is at sequence {expected}, this is {found}" SequenceNotNext {
        /// The stream.
        stream: StreamId,
        /// The next sequence.
        expected: u64,
        /// The sequence given.
        found: u64,
    },
    /// `previous` is not the stream's head.
    154 "previous is {found}, but the head of stream {stream} is {expected}" PreviousNotHead {
        /// The stream.
        stream: StreamId,
        /// The head.
        expected: TransactionId,
        /// What was given.
        found: TransactionId,
    },
    /// Derived from something that does not exist.
    155 "derived from {attestation}, which does not exist" SourceUnknown {
        /// The attestation named.
        attestation: AttestationRef,
    },
    /// No room left: the node accepts nothing more now. Try again.
    190 "the node takes no more transactions now: {reason}" Busy {
        /// Why.
        reason: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::Rejection;

    #[test]
    fn codes_and_names_are_unique_and_ascending() {
        assert!(Rejection::TABLE.is_sorted_by(|a, b| a.0 < b.0));
        let mut names: Vec<&str> = Rejection::TABLE.iter().map(|(_, name)| *name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b));
    }
}
