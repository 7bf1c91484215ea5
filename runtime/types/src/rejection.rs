//! Why a transaction is refused: one variant, one code and one name for each rule.
//!
//! The rules that refuse are in `cairn-runtime`. The table stands here because users meet it everywhere: in the answers
//! of JSON-RPC, in the command line and in the specification. Codes never change their meaning.

use crate::device::DeviceStatus;
use crate::grant::{Action, Dimension};
use crate::hash::{BlockHash, ChainId, DeviceId, GrantId, LotId, OrganizationId, StreamId, TransactionId};
use crate::key::KeyError;
use crate::name::Name;
use crate::organization::{KeySetError, Principal, Role};
use crate::parameters::ParametersError;
use crate::position::Height;
use crate::stream::AttestationRef;
use crate::validators::ValidatorSetError;

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

            /// The variant's fields, each with its name and as text.
            pub fn fields(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        vec![$($((stringify!($field), $field.to_string())),*)?]
                    })*
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
    /// A measure that too few of the council sign.
    116 "{needed} of the council's {council} organizations must sign, {found} did" CouncilQuorumMissing {
        /// How many must.
        needed: usize,
        /// How many there are.
        council: usize,
        /// How many did, each with enough keys.
        found: usize,
    },
    /// As many transactions as a quota allows are in this window already.
    117 "{principal} has used its quota of {quota} transactions; the next window begins at height {until}" QuotaExceeded {
        /// Whose quota.
        principal: Principal,
        /// Transactions that this call could have counted among.
        quota: u32,
        /// The first height of the next window.
        until: Height,
    },
    /// No such organization.
    120 "organization {organization} is not known" OrganizationUnknown {
        /// The organization.
        organization: OrganizationId,
    },
    /// The organization was expelled.
    121 "organization {organization} was expelled" OrganizationExpelled {
        /// The organization.
        organization: OrganizationId,
    },
    /// Another organization has that name, or the very same one is there.
    122 "there is an organization called {name} already" OrganizationNameTaken {
        /// The name.
        name: Name,
    },
    /// Keys that cannot be an organization's.
    123 "key set: {reason}" KeySetInvalid {
        /// What is wrong with them.
        reason: KeySetError,
    },
    /// The new keys are not those that the open epoch committed to, or it committed to none.
    124 "the keys are not those to which organization {organization} committed" KeySetNotCommitted {
        /// The organization.
        organization: OrganizationId,
    },
    /// The organization has no keys for this.
    125 "organization {organization} has no recovery set" RecoverySetMissing {
        /// The organization.
        organization: OrganizationId,
    },
    /// The organization does not have the role for this.
    126 "organization {organization} is no {role}" RoleMissing {
        /// The organization.
        organization: OrganizationId,
        /// The role.
        role: Role,
    },
    /// A measure after which the network could not be governed or would not go on.
    127 "measure: {reason}" MeasureInvalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Validators that are no set.
    128 "validators: {reason}" ValidatorsInvalid {
        /// What is wrong with them.
        reason: ValidatorSetError,
    },
    /// Parameters that make no network.
    129 "parameters: {reason}" ParametersInvalid {
        /// What is wrong with them.
        reason: ParametersError,
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
    /// A grant over a device or its stream, given under an earlier owner.
    148 "grant {grant} ended when device changed hands" GrantOfEarlierOwner {
        /// The grant.
        grant: GrantId,
    },
    /// A grant that an organization gave which was expelled since.
    149 "grant {grant} ended when organization {organization} was expelled" GrantorExpelled {
        /// The grant.
        grant: GrantId,
        /// Who gave it.
        organization: OrganizationId,
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
    /// No such attestation.
    156 "there is no attestation {attestation}" AttestationUnknown {
        /// The attestation named.
        attestation: AttestationRef,
    },
    /// It was superseded before.
    157 "attestation {attestation} is superseded already" SupersededAlready {
        /// The attestation.
        attestation: AttestationRef,
    },
    /// The attestation was said under an earlier owner of its device, whom nobody may disown.
    158 "attestation {attestation} was said under an earlier owner" AttestationOfEarlierOwner {
        /// The attestation.
        attestation: AttestationRef,
    },
    /// What is named to use instead cannot be.
    159 "replacement {reason}" ReplacementInvalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two transactions that do not show a fork.
    160 "evidence of a fork: {reason}" ForkNotShown {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The fork, or one before it in the stream, is known.
    161 "stream {stream} is known to have forked at sequence {at}" ForkKnown {
        /// The stream.
        stream: StreamId,
        /// Where.
        at: u64,
    },
    /// No such lot.
    170 "lot {lot} is not known" LotUnknown {
        /// The lot.
        lot: LotId,
    },
    /// Trust in the lot has ended.
    171 "lot {lot} is distrusted" LotDistrusted {
        /// The lot.
        lot: LotId,
    },
    /// Distrusted already, and `suspect_since` does not move earlier.
    172 "lot {lot} is distrusted already" LotDistrustedAlready {
        /// The lot.
        lot: LotId,
    },
    /// An endorsement that does not verify.
    173 "endorsement: {reason}" EndorsementInvalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another device has claimed this place in the lot.
    174 "that place in lot {lot} was claimed, by device {by}" LotPlaceClaimed {
        /// The lot.
        lot: LotId,
        /// By which device.
        by: DeviceId,
    },
    /// The device is being recovered already.
    175 "a recovery of device {device} is pending, from height {effective}" RecoveryPending {
        /// The device.
        device: DeviceId,
        /// When it takes effect.
        effective: Height,
    },
    /// There is no recovery to cancel.
    176 "no recovery of device {device} is pending" RecoveryNotPending {
        /// The device.
        device: DeviceId,
    },
    /// The device is not offered to the signer, or there is no offer to withdraw.
    177 "device {device} is not offered" DeviceNotOffered {
        /// The device.
        device: DeviceId,
    },
    /// An offer that changes nothing.
    178 "offer of device {device}: {reason}" OfferInvalid {
        /// The device.
        device: DeviceId,
        /// What is wrong with it.
        reason: &'static str,
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
