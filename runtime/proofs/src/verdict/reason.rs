//! What can stand against a verdict of VALID, and which of the two other outcomes it leads to.

use std::fmt;

use cairn_types::hash::TransactionId;
use cairn_types::validators::ValidatorSetError;
use cairn_types::{
    AttestationRef, BlockHash, CertificateError, ChainId, Content, ContentForm, DecodeError, DeviceId, DeviceStatus,
    GrantId, Hash, Height, LotId, OrganizationId, Position, SignatureError, StreamId,
};

use super::expectations::ContentEvidence;
use crate::accumulator::AccumulatorError;
use crate::authority::AuthorityFailure;
use crate::bundle::BundleError;
use crate::tree::ProofError;

/// The three-valued summary of a verdict, from the best to the gravest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything was shown: this content, signed by this device's key, final; and when it was included the device was
    /// active and entitled. Nothing about it is in doubt.
    Valid,
    /// Nothing was refuted, but something was not shown, or somebody entitled has put it in doubt.
    Incomplete,
    /// Something is refuted: a proof, a signature, the content, or the device's right to say it.
    Invalid,
}

impl Outcome {
    /// `VALID`, `INCOMPLETE` or `INVALID`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Incomplete => "INCOMPLETE",
            Self::Invalid => "INVALID",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which past block a proof is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastBlockName {
    /// The one that holds the attestation.
    Attestation,
    /// The one that the attestation names in `not_before`.
    NotBefore,
    /// The one that connects the bundle to a block that the auditor trusts.
    Anchor,
}

impl fmt::Display for PastBlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attestation => "the attestation's block",
            Self::NotBefore => "the not_before block",
            Self::Anchor => "the anchor block",
        })
    }
}

/// What a state proof or a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The device's file.
    Device(DeviceId),
    /// The stream.
    Stream(StreamId),
    /// A grant.
    Grant(GrantId),
    /// The placements of a device that passed a grant on.
    Placements(DeviceId),
    /// An organization.
    Organization(OrganizationId),
    /// The lot that the device comes from.
    Lot(LotId),
    /// Whether the attestation was superseded.
    Superseded(AttestationRef),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device {id}"),
            Self::Stream(id) => write!(f, "stream {id}"),
            Self::Grant(id) => write!(f, "grant {id}"),
            Self::Placements(id) => write!(f, "the placements of device {id}"),
            Self::Organization(id) => write!(f, "organization {id}"),
            Self::Lot(id) => write!(f, "lot {id}"),
            Self::Superseded(target) => write!(f, "what supersedes attestation {target}"),
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $outcome:ident $name:literal $text:tt $variant:ident $(($tuple:ty))? $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })?,)*) => {
        /// What stands against a verdict of VALID.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Reason {
            $(
                $(#[$doc])*
                #[error $text]
                $variant $(($tuple))? $({ $($(#[$field_doc])* $field: $type),* })?,
            )*
        }

        impl Reason {
            /// Name and outcome of every reason, in the order of the verification.
            pub const TABLE: &'static [(&'static str, Outcome)] = &[$(($name, Outcome::$outcome)),*];

            /// The outcome that the reason leads to.
            pub const fn outcome(&self) -> Outcome {
                match self { $(Self::$variant { .. } => Outcome::$outcome,)* }
            }

            /// The reason's name in the JSON form of a verdict; it never changes its meaning.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }
        }
    };
}

reasons! {
    /// The bytes are not a bundle.
    Invalid "not_a_bundle" ("the file is damaged or not a bundle: {0}") NotABundle(BundleError),
    /// The genesis header is not one.
    Invalid "genesis_malformed" ("the file's genesis header is not that of a block 0") GenesisMalformed,
    /// Made for another network.
    Invalid "wrong_network" ("the file is of network {found}, not {expected}") WrongNetwork {
        /// The bundle's network.
        found: ChainId,
        /// The auditor's.
        expected: ChainId,
    },
    /// The validators are not those to whom the genesis header commits.
    Invalid "validators_not_genesis" ("the validators (root {found}) are not those of the genesis ({expected})") ValidatorsNotGenesis {
        /// Root of the bundle's set.
        found: Hash,
        /// Root in the genesis header.
        expected: Hash,
    },
    /// Validators that are not a set.
    Invalid "validators_malformed" ("the validators after change {changes} are not a set: {error}") ValidatorsMalformed {
        /// After how many changes.
        changes: usize,
        /// What is wrong.
        error: ValidatorSetError,
    },
    /// A change of validators, or the checkpoint, is of another network or version, or in the wrong order.
    Invalid "header_malformed" ("the header of block {height} does not belong here") HeaderMalformed {
        /// Its height.
        height: Height,
    },
    /// A header names other validators than those who decide it.
    Invalid "validators_mismatch" ("block {height} names validators {found}, but those known are {expected}") ValidatorsMismatch {
        /// The header's height.
        height: Height,
        /// Root in the header.
        found: Hash,
        /// Root of the known set.
        expected: Hash,
    },
    /// A block that was not decided by more than two thirds.
    Invalid "certificate_invalid" ("block {height} is not certified: {error}") CertificateInvalid {
        /// The block's height.
        height: Height,
        /// What is wrong.
        error: CertificateError,
    },
    /// A block that is not in the checkpoint's history, or at another height.
    Invalid "history_invalid" ("{block} is not in the checkpoint's history: {error}") HistoryInvalid {
        /// Which block.
        block: PastBlockName,
        /// What is wrong.
        error: AccumulatorError,
    },
    /// A past block's header and the proof disagree about its height, or it is of another network or version.
    Invalid "past_block_malformed" ("the header of {block} does not belong here") PastBlockMalformed {
        /// Which block.
        block: PastBlockName,
    },
    /// The block that the auditor trusts is not the one in the bundle.
    Invalid "trusted_conflict" ("at height {height} the file has block {found}, but block {trusted} is trusted") TrustedConflict {
        /// The height.
        height: Height,
        /// The bundle's block.
        found: BlockHash,
        /// The auditor's.
        trusted: BlockHash,
    },
    /// The bundle does not reach the block that the auditor trusts.
    Incomplete "trusted_unconnected" ("nothing connects the file to the trusted block at height {height}; make it again, with that block as its anchor") TrustedUnconnected {
        /// The trusted block's height.
        height: Height,
    },
    /// The checkpoint is older than the auditor allows.
    Incomplete "checkpoint_stale" ("the checkpoint is {age_ms} ms old, more than {age_max_ms} ms; what happened since is unknown") CheckpointStale {
        /// Its age in milliseconds.
        age_ms: u64,
        /// The limit.
        age_max_ms: u64,
    },
    /// The checkpoint lies further ahead of the auditor's clock than the limit on its age.
    Incomplete "checkpoint_ahead" ("the checkpoint is {ahead_ms} ms ahead of the clock here, so its age is unknown") CheckpointAhead {
        /// By how much, in milliseconds.
        ahead_ms: u64,
    },
    /// The transaction is not in its block.
    Invalid "inclusion_invalid" ("the transaction is not in block {height}: {error}") InclusionInvalid {
        /// The block's height.
        height: Height,
        /// What is wrong.
        error: AccumulatorError,
    },
    /// The transaction's bytes are not a transaction.
    Invalid "transaction_malformed" ("the transaction is malformed: {0}") TransactionMalformed(DecodeError),
    /// A transaction, but not an attestation that one device signed for this network.
    Invalid "not_an_attestation" ("transaction {id} is not an attestation by a device of this network") NotAnAttestation {
        /// The transaction.
        id: TransactionId,
    },
    /// The block of `not_before` is another one, or not before the attestation's.
    Invalid "not_before_mismatch" ("the attestation names block {named} as not_before, not block {shown}") NotBeforeMismatch {
        /// The hash in the attestation.
        named: BlockHash,
        /// The hash of the block in the bundle.
        shown: BlockHash,
    },
    /// Included after the last height that it allowed.
    Invalid "expired" ("included at height {height}, but it expired at {expires}") Expired {
        /// The last height it allowed.
        expires: Height,
        /// Where it was included.
        height: Height,
    },
    /// No content was given to compare.
    Incomplete "content_not_supplied" ("no content was given to compare with what the device signed") ContentNotSupplied,
    /// The content was hashed in another form than the device did.
    Incomplete "content_not_comparable" ("the device signed a {signed} hash, but a {supplied} hash of the content was given", signed = .signed.name(), supplied = .supplied.name()) ContentNotComparable {
        /// The form that the device used.
        signed: ContentForm,
        /// The form that the auditor used.
        supplied: ContentForm,
    },
    /// The content is not what the device signed.
    Invalid "content_differs" ("the content ({} bytes, {}) is not what the device signed ({} bytes, {})", .supplied.bytes, .supplied.hash, .signed.bytes, .signed.hash) ContentDiffers {
        /// What the device signed.
        signed: Content,
        /// What the auditor has.
        supplied: ContentEvidence,
    },
    /// A state proof that does not hold.
    Invalid "state_proof_invalid" ("the proof about {subject} does not hold: {error}") StateProofInvalid {
        /// What it is about.
        subject: Subject,
        /// What is wrong.
        error: ProofError,
    },
    /// The state is proven not to have it.
    Invalid "absent" ("the ledger has no {subject}") Absent {
        /// What is missing.
        subject: Subject,
    },
    /// The state's record of it makes no sense.
    Invalid "record_malformed" ("the ledger's record of {subject} is malformed") RecordMalformed {
        /// What it is about.
        subject: Subject,
    },
    /// The state's record holds something that this program is too old to know.
    Incomplete "record_unknown" ("the ledger's record of {subject} holds something that this program does not know") RecordUnknown {
        /// What it is about.
        subject: Subject,
    },
    /// The bundle does not hold a proof that is needed.
    Incomplete "proof_missing" ("the bundle holds no proof about {subject}") ProofMissing {
        /// What it should be about.
        subject: Subject,
    },
    /// The bundle holds a proof that nothing asks for.
    Invalid "proof_superfluous" ("the bundle holds {count} proofs that nothing asks for") ProofSuperfluous {
        /// How many.
        count: usize,
    },
    /// No key spoke for the device when the attestation was included.
    Invalid "key_not_held" ("the device had no key at {position}") KeyNotHeld {
        /// Where it was included.
        position: Position,
    },
    /// The signature is not one by the key that spoke for the device then.
    Invalid "signature_invalid" ("not signed with the key that the device had at {position}: {error}") SignatureInvalid {
        /// Where it was included.
        position: Position,
        /// What is wrong.
        error: SignatureError,
    },
    /// The key, or the device, is in doubt since before the attestation was included.
    Incomplete "key_suspect" ("the device's word is in doubt since {since}") KeySuspect {
        /// Since when.
        since: Position,
    },
    /// The device was not in service.
    Invalid "device_not_active" ("the device was not active at {position}") DeviceNotActive {
        /// Where the attestation was included.
        position: Position,
        /// Its status then, if it had one.
        status: Option<DeviceStatus>,
    },
    /// The device had no owner.
    Invalid "device_not_owned" ("the device had no owner at {position}") DeviceNotOwned {
        /// Where the attestation was included.
        position: Position,
    },
    /// The device was not entitled.
    Invalid "authority_not_held" ("the device was not entitled to attest: {0}") AuthorityNotHeld(AuthorityFailure),
    /// A grant on the path is in doubt since before the attestation was included.
    Incomplete "authority_suspect" ("what was done under grant {grant} is in doubt since {since}") AuthoritySuspect {
        /// The grant.
        grant: GrantId,
        /// Since when.
        since: Position,
    },
    /// The stream's record contradicts the attestation.
    Invalid "stream_contradicts" ("the stream's record does not hold this attestation at sequence {sequence}") StreamContradicts {
        /// The attestation's place.
        sequence: u64,
    },
    /// The device said two things at this place of the stream, or before.
    Incomplete "stream_forked" ("the device said two things at sequence {at} of this stream") StreamForked {
        /// The first place of which two versions are known.
        at: u64,
    },
}
