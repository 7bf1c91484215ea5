//! Values as JSON, for people and for other programs: structs with the names of the specification, variants as `{ "name": value }`,
//! integers of 64 bits as decimal text, bytes as hexadecimal.
//!
//! It is written by hand, and knows nothing of the encoding: a vector holds both, and a second implementation checks one
//! against the other.

use cairn_proofs::lookup::Question;
use cairn_types::call::*;
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::grant::{Action, Window};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::record::*;
use cairn_types::{
    Actions, AttestationRef, BlockHash, BlockRef, Body, Call, Certificate, ChainId, ClaimedTime, Content, ContentForm,
    ContentHash, DeviceId, DeviceStatus, GrantId, Grantee, Hash, Header, Height, Inception, KeyCommitment, KeySet,
    LotId, Name, OrganizationId, OrganizationInception, Parameters, Position, Power, Principal, PublicKey, Roles,
    Scope, Signature, SignatureBytes, StreamId, Transaction, TransactionId, Validator, ValidatorSet, Zone, ZonePath,
};
use serde_json::{Map, Value, json};

/// Something that a vector can show.
pub(crate) trait Readable {
    /// Its JSON form.
    fn readable(&self) -> Value;
}

macro_rules! readable {
    (number: $($number:ty),*) => {$(impl Readable for $number {
        fn readable(&self) -> Value {
            json!(self)
        }
    })*};
    (text: $($text:ty),*) => {$(impl Readable for $text {
        fn readable(&self) -> Value {
            json!(self.to_string())
        }
    })*};
    (struct: $($type:ty { $($field:ident),* })*) => {$(impl Readable for $type {
        fn readable(&self) -> Value {
            let mut map = Map::new();
            $(map.insert(stringify!($field).to_owned(), self.$field.readable());)*
            Value::Object(map)
        }
    })*};
    (enum: $($type:ty { $($variant:ident = $name:literal),* })*) => {$(impl Readable for $type {
        fn readable(&self) -> Value {
            match self { $(Self::$variant(value) => json!({ $name: value.readable() }),)* }
        }
    })*};
}

readable!(number: u8, u16, u32, bool);
readable!(text: u64, i64, String, Hash, BlockHash, ChainId, ContentHash, DeviceId, GrantId, KeyCommitment, LotId);
readable!(text: OrganizationId, StreamId, TransactionId, Name, ZonePath, PublicKey, Height, DeviceStatus);

readable!(struct:
    Position { height, index }
    BlockRef { height, hash }
    Zone { organization, path }
    Window { from, to }
    KeySet { threshold, keys }
    Inception { key, next, model }
    OrganizationInception { name, title, keys, next, recovery }
    Admit { inception, roles }
    Upgrade { version, height }
    LotLeaf { device, serial, salt }
    LotEndorsement { lot, bound, serial, salt, index, siblings }
    Content { form, hash, bytes, readings }
    ClaimedTime { from_ms, to_ms }
    AttestationRef { stream, sequence }
    Govern { measure }
    RotateOrganizationKeys { organization, keys, next, by_recovery }
    EndorseLot { basis, label }
    DistrustLot { lot, suspect_since }
    RegisterDevice { inception, owner, zone, endorsement, authority }
    RotateDeviceKey { device, key, next }
    RecoverDeviceKey { device, key, next, suspect_since }
    CancelRecovery { device }
    OfferDevice { device, to }
    AcceptDevice { device, zone }
    PlaceDevice { device, zone, authority }
    SetDeviceStatus { device, status, suspect_since }
    Grant { grantee, actions, scope, window, depth, parent }
    RevokeGrant { grant, suspect_since }
    OpenStream { name, cadence_s, authority }
    CloseStream { stream }
    Attest { stream, sequence, previous, content, claimed, derived_from, authority }
    Supersede { target, replacement }
    Body { chain, signer, not_before, expires, call }
    Signature { signer, key, bytes }
    Transaction { body, signatures }
    Header {
        version, chain, height, time_ms, parent, history_root, tx_root, state_root, validators_root,
        next_validators_root, proposer
    }
    Validator { key, peer, power, organization }
    OrganizationRecord { name, title, roles, recovery, admitted, expelled }
    OrganizationKeys { keys, next }
    DeviceRecord { inception, registered, registered_by, endorsement }
    EndorsementRecord { lot, manufacturer, serial }
    LotRecord { manufacturer, basis, label }
    Recovery { key, next, effective }
    Superseded { at, by, replacement }
    Usage { window, count }
    DeviceKey { key, next }
    GrantTerms { grantor, grantee, actions, scope, window, depth, parent }
    StreamRecord {
        device, name, cadence_s, opened, count, head, head_position, peaks, closed, forked_at, owned_from
    }
    Parameters {
        lifetime_max, recovery_delay, block_bytes_max, block_transactions_max, heartbeat_ms, clock_drift_ms,
        propose_timeout_ms, prevote_timeout_ms, precommit_timeout_ms, timeout_delta_ms, quota_window,
        organization_quota, device_quota
    }
);

readable!(enum:
    Principal { Organization = "organization", Device = "device" }
    Grantee { Organization = "organization", Device = "device", Zone = "zone" }
    Scope { Zone = "zone", Device = "device", Stream = "stream" }
    Endorsement { Lot = "lot", Certificate = "certificate" }
    Measure {
        Admit = "admit", Expel = "expel", ChangeValidators = "change_validators", SetParameters = "set_parameters",
        ScheduleUpgrade = "schedule_upgrade"
    }
    Call {
        Govern = "govern", RotateOrganizationKeys = "rotate_organization_keys", EndorseLot = "endorse_lot",
        DistrustLot = "distrust_lot", RegisterDevice = "register_device", RotateDeviceKey = "rotate_device_key",
        RecoverDeviceKey = "recover_device_key", CancelRecovery = "cancel_recovery", OfferDevice = "offer_device",
        AcceptDevice = "accept_device", PlaceDevice = "place_device", SetDeviceStatus = "set_device_status",
        Grant = "grant", RevokeGrant = "revoke_grant", OpenStream = "open_stream", CloseStream = "close_stream",
        Attest = "attest", Supersede = "supersede", ReportFork = "report_fork"
    }
);

impl Readable for LotBasis {
    fn readable(&self) -> Value {
        match self {
            Self::Merkle { root, count } => json!({ "merkle": { "root": root.readable(), "count": count } }),
            Self::Issuer { key } => json!({ "issuer": { "key": key.readable() } }),
        }
    }
}

impl Readable for CertificateEndorsement {
    fn readable(&self) -> Value {
        let chain: Vec<String> = self.chain.iter().map(hex::encode).collect();
        json!({ "lot": self.lot.readable(), "chain": chain, "signature": self.signature.readable() })
    }
}

impl Readable for ReportFork {
    fn readable(&self) -> Value {
        json!({ "first": hex::encode(&self.first), "second": hex::encode(&self.second) })
    }
}

impl Readable for SignatureBytes {
    fn readable(&self) -> Value {
        match self {
            Self::Ed25519(bytes) => json!(format!("ed25519:{}", hex::encode(bytes))),
            Self::P256(bytes) => json!(format!("p256:{}", hex::encode(bytes))),
        }
    }
}

impl Readable for ContentForm {
    fn readable(&self) -> Value {
        json!(self.name())
    }
}

impl Readable for Power {
    fn readable(&self) -> Value {
        json!(self.get().to_string())
    }
}

impl Readable for Actions {
    fn readable(&self) -> Value {
        json!(self.iter().map(Action::name).collect::<Vec<_>>())
    }
}

impl Readable for Roles {
    fn readable(&self) -> Value {
        json!(self.iter().map(|role| role.name()).collect::<Vec<_>>())
    }
}

impl Readable for ValidatorSet {
    fn readable(&self) -> Value {
        json!({ "validators": self.iter().map(Readable::readable).collect::<Vec<_>>() })
    }
}

impl Readable for Certificate {
    fn readable(&self) -> Value {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|one| json!({ "validator": one.validator, "signature": hex::encode(one.signature) }))
            .collect();
        let (height, round, block) = (self.height.readable(), self.round.get(), self.block.readable());
        json!({ "height": height, "round": round, "block": block, "signatures": signatures })
    }
}

impl Readable for Question {
    fn readable(&self) -> Value {
        json!(self.to_string())
    }
}

impl Readable for () {
    fn readable(&self) -> Value {
        json!({})
    }
}

impl<const N: usize> Readable for [u8; N] {
    fn readable(&self) -> Value {
        json!(hex::encode(self))
    }
}

impl<T: Readable> Readable for Option<T> {
    fn readable(&self) -> Value {
        self.as_ref().map_or(Value::Null, Readable::readable)
    }
}

impl<T: Readable> Readable for Vec<T> {
    fn readable(&self) -> Value {
        json!(self.iter().map(Readable::readable).collect::<Vec<_>>())
    }
}

impl<T: Readable> Readable for Interval<T> {
    fn readable(&self) -> Value {
        json!({
            "value": self.value.readable(),
            "from": self.from.readable(),
            "to": self.to.readable(),
            "suspect_since": self.suspect_since.readable(),
        })
    }
}
