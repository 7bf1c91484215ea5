//! The table of methods: names, parameters and answers, for those who do not implement them.
//!
//! The traits in `src/api` say the same to the server. From this table come the typed client, the description in
//! `openrpc.json`, and the check that a call has no parameter that its method does not know: jsonrpsee would pass over
//! such a parameter in silence, and a misspelt filter would filter nothing. A test compares the table with what the
//! server has registered, and the snapshots call every method through the client, so the two cannot part.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its parameters in order; those that may be left out come last.
    pub parameters: &'static [Parameter],
    /// What it answers; of a subscription, what each notification holds.
    pub result: SchemaOf,
    /// Whether it is a subscription, and the method that ends it.
    pub unsubscribe: Option<&'static str>,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What it may be.
    pub schema: SchemaOf,
}

pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The calls: `function = "method"(required: Type; optional: Type; prove other_function) -> Answer`. A parameter whose name
/// on the wire is not its name in Rust says so with `as`. A method with `prove` has that parameter too; the client's other
/// function sets it, and its answer has the proof.
macro_rules! for_each_call {
    ($with:ident) => {
        $with! {
            chain_get_status = "chain_getStatus"(;) -> At<StatusView>;
            chain_get_block = "chain_getBlock"(; block: Text<Height>) -> At<BlockView>;
            chain_get_header = "chain_getHeader"(; block: Text<Height>) -> At<HeaderAnswer>;
            chain_get_certificate = "chain_getCertificate"(; block: Text<Height>) -> At<CertificateView>;
            chain_get_validators = "chain_getValidators"(; at: Text<Height>; prove chain_get_validators_proven)
                -> At<ValidatorsAnswer>;
            chain_get_council = "chain_getCouncil"(; at: Text<Height>; prove chain_get_council_proven)
                -> At<CouncilView>;
            chain_get_parameters = "chain_getParameters"(; at: Text<Height>; prove chain_get_parameters_proven)
                -> At<ParametersAnswer>;
            chain_get_upgrade = "chain_getUpgrade"(; at: Text<Height>) -> At<UpgradeAnswer>;
            chain_get_genesis = "chain_getGenesis"(;) -> At<GenesisView>;

            tx_submit = "tx_submit"(transaction: Hex;) -> At<SubmittedView>;
            tx_submit_many = "tx_submitMany"(transactions: Vec<Hex>;) -> At<SubmissionsView>;
            tx_get = "tx_get"(id: Text<TransactionId>; at: Text<Height>) -> At<TransactionStateView>;
            tx_wait = "tx_wait"(id: Text<TransactionId>; timeout_ms as "timeoutMs": u32) -> At<ReceiptView>;

            organization_get = "organization_get"
                (organization: Text<OrganizationSelector>; at: Text<Height>; prove organization_get_proven)
                -> At<OrganizationView>;
            organization_list = "organization_list"
                (; after: Text<Name>, limit: u32, at: Text<Height>; prove organization_list_proven)
                -> Page<OrganizationView>;
            organization_get_history = "organization_getHistory"
                (organization: Text<OrganizationSelector>; after: Text<u64>, limit: u32, at: Text<Height>;
                 prove organization_get_history_proven)
                -> Page<OrganizationEpochView>;
            organization_get_usage = "organization_getUsage"(organization: Text<OrganizationSelector>; at: Text<Height>)
                -> At<UsageView>;

            device_get = "device_get"(device: Text<DeviceId>; at: Text<Height>; prove device_get_proven)
                -> At<DeviceView>;
            device_list = "device_list"(; zone: ZoneView, after: Text<DeviceId>, limit: u32, at: Text<Height>)
                -> Page<DeviceView>;
            device_get_history = "device_getHistory"
                (device: Text<DeviceId>; after: Text<HistoryCursor>, limit: u32, at: Text<Height>;
                 prove device_get_history_proven)
                -> Page<DeviceFactView>;
            device_get_usage = "device_getUsage"(device: Text<DeviceId>; at: Text<Height>) -> At<UsageView>;

            grant_get = "grant_get"(grant: Text<GrantId>; at: Text<Height>; prove grant_get_proven) -> At<GrantView>;
            grant_list = "grant_list"
                (; scope: ScopeView, after: Text<GrantId>, limit: u32, at: Text<Height>, device: Text<DeviceId>;
                 prove grant_list_proven)
                -> Page<GrantView>;
            grant_check = "grant_check"
                (principal: PrincipalView, action: ActionName, target: ScopeView; grant: Text<GrantId>, at: Text<Height>)
                -> At<GrantCheckView>;

            stream_get = "stream_get"(stream: Text<StreamId>; at: Text<Height>; prove stream_get_proven)
                -> At<StreamView>;
            stream_list = "stream_list"
                (; device: Text<DeviceId>, after: Text<StreamId>, limit: u32, at: Text<Height>; prove stream_list_proven)
                -> Page<StreamView>;
            stream_get_range = "stream_getRange"(stream: Text<StreamId>; from: Text<u64>, limit: u32, at: Text<Height>)
                -> Page<AttestationView>;

            lot_get = "lot_get"(lot: Text<LotId>; at: Text<Height>; prove lot_get_proven) -> At<LotAnswer>;
            lot_list = "lot_list"
                (; manufacturer: Text<OrganizationSelector>, after: Text<LotId>, limit: u32, at: Text<Height>;
                 prove lot_list_proven)
                -> Page<LotView>;
            lot_get_claims = "lot_getClaims"
                (lot: Text<LotId>; after: Text<Hash>, limit: u32, at: Text<Height>; prove lot_get_claims_proven)
                -> Page<LotClaimView>;

            attestation_get = "attestation_get"(attestation: Text<AttestationSelector>; at: Text<Height>)
                -> At<AttestationView>;
            attestation_find_by_content = "attestation_findByContent"
                (content: Text<ContentHash>; after: Text<Position>, limit: u32, at: Text<Height>)
                -> Page<AttestationView>;

            audit_trace = "audit_trace"
                (attestation: Text<AttestationSelector>; depth: u32, format: TraceFormat, at: Text<Height>)
                -> At<TraceView>;
            audit_verdict = "audit_verdict"
                (attestation: Text<AttestationSelector>;
                 content: ContentEvidenceView, age_max_ms as "ageMaxMs": Text<u64>, at: Text<Height>)
                -> At<VerdictView>;
            audit_bundle = "audit_bundle"(attestation: Text<AttestationSelector>; anchor: Text<Height>, at: Text<Height>)
                -> At<BundleView>;

            proof_get_state = "proof_getState"(key: Hex; prefix: bool, at: Text<Height>) -> At<StateProofView>;
            proof_lookup = "proof_lookup"(question: Text<Question>; at: Text<Height>) -> At<LookupView>;
            proof_get_checkpoint = "proof_getCheckpoint"(; at: Text<Height>) -> At<LookupView>;
            proof_get_transaction = "proof_getTransaction"(id: Text<TransactionId>; at: Text<Height>)
                -> At<TransactionProofView>;

            node_get_health = "node_getHealth"(;) -> At<HealthView>;
            node_get_peers = "node_getPeers"(;) -> Page<PeerView>;
            node_get_version = "node_getVersion"(;) -> At<VersionView>;
        }
    };
}
pub(crate) use for_each_call;

/// A parameter's name on the wire.
macro_rules! wire_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident, $wire:literal) => {
        $wire
    };
}
pub(crate) use wire_name;

/// The parameter by which a proof is asked for.
pub(crate) const PROVE: &str = "prove";

macro_rules! prove_parameter {
    ($proven:ident) => {
        Parameter { name: PROVE, required: false, schema: schema_of::<bool> }
    };
}

/// What a method answers: what can be proven may come with a proof.
macro_rules! answer {
    ($answer:ty) => {
        $answer
    };
    ($answer:ty, $proven:ident) => {
        Provable<$answer>
    };
}

macro_rules! table {
    ($($function:ident = $method:literal(
        $($required:ident $(as $required_wire:literal)?: $required_type:ty),*;
        $($optional:ident $(as $optional_wire:literal)?: $optional_type:ty),*
        $(; prove $proven:ident)?
    ) -> $answer:ty;)*) => {
        /// Every call.
        const CALLS: &[Method] = &[$(Method {
            name: $method,
            parameters: &[
                $(Parameter {
                    name: wire_name!($required $(, $required_wire)?),
                    required: true,
                    schema: schema_of::<$required_type>,
                },)*
                $(Parameter {
                    name: wire_name!($optional $(, $optional_wire)?),
                    required: false,
                    schema: schema_of::<$optional_type>,
                },)*
                $(prove_parameter!($proven),)?
            ],
            result: schema_of::<answer!($answer $(, $proven)?)>,
            unsubscribe: None,
        }),*];
    };
}

/// The types that the table names, for whoever expands it.
pub(crate) mod types {
    pub(crate) use cairn_proofs::lookup::Question;
    pub(crate) use cairn_types::{
        ContentHash, DeviceId, GrantId, Hash, Height, LotId, Name, Position, StreamId, TransactionId,
    };

    pub(crate) use crate::views::*;
}
use types::*;

for_each_call!(table);

/// Every subscription.
const SUBSCRIPTIONS: &[Method] = &[Method {
    name: SUBSCRIBE_BLOCKS,
    parameters: &[],
    result: schema_of::<FinalBlockView>,
    unsubscribe: Some(UNSUBSCRIBE_BLOCKS),
}];

/// Blocks as they become final.
pub(crate) const SUBSCRIBE_BLOCKS: &str = "chain_subscribeBlocks";
/// No more blocks.
pub(crate) const UNSUBSCRIBE_BLOCKS: &str = "chain_unsubscribeBlocks";

/// Every method, by namespace in the order of the design.
pub fn methods() -> impl Iterator<Item = &'static Method> {
    CALLS.iter().chain(SUBSCRIPTIONS)
}

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Method>> =
    LazyLock::new(|| methods().map(|method| (method.name, method)).collect());

/// The method of this name.
pub fn method(name: &str) -> Option<&'static Method> {
    BY_NAME.get(name).copied()
}
