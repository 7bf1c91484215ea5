//! What this node counts, in Prometheus' text form. Names are `cairn_<component>_<what>_<unit>`; no peer and no height is
//! a label.

use std::sync::atomic::{AtomicI64, AtomicU64};

use cairn_types::Round;
use cairn_types::governance::Upgrade;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::chain::Snapshot;

/// All counters.
pub(crate) struct Metrics {
    registry: Registry,
    height: Gauge<u64, AtomicU64>,
    blocks: Counter,
    transactions: Counter,
    later_rounds: Counter,
    state_keys: Gauge<u64, AtomicU64>,
    validators: Gauge<u64, AtomicU64>,
    upgrade_height: Gauge<u64, AtomicU64>,
    upgrade_version: Gauge<u64, AtomicU64>,
    known_version: Gauge<u64, AtomicU64>,
    pub(crate) submitted: Counter,
    pub(crate) rejected: Counter,
    pub(crate) evidence: Counter,
    pub(crate) mempool: Gauge<u64, AtomicU64>,
    pub(crate) peers: Gauge<u64, AtomicU64>,
    pub(crate) free_bytes: Gauge<u64, AtomicU64>,
    pub(crate) clock_off_ms: Gauge<i64, AtomicI64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("cairn");
        let (height, state_keys, mempool, peers) = <_>::default();
        let (validators, upgrade_height, upgrade_version, known_version) = <_>::default();
        let (blocks, transactions, later_rounds, submitted, rejected, evidence) = <_>::default();
        let (free_bytes, clock_off_ms) = <_>::default();
        let metrics = Self {
            height,
            blocks,
            transactions,
            later_rounds,
            state_keys,
            validators,
            upgrade_height,
            upgrade_version,
            known_version,
            submitted,
            rejected,
            evidence,
            mempool,
            peers,
            free_bytes,
            clock_off_ms,
            registry: Registry::default(),
        };
        let m = &metrics;
        registry.register("ledger_height", "Newest final height", m.height.clone());
        registry.register("ledger_blocks", "Blocks that became final since the start", m.blocks.clone());
        registry.register(
            "ledger_transactions",
            "Transactions that became final since the start",
            m.transactions.clone(),
        );
        registry.register("ledger_state_keys", "Keys in the state", m.state_keys.clone());
        registry.register("ledger_validators", "Validators who decide the next block", m.validators.clone());
        registry.register(
            "upgrade_height",
            "First block of the change of the rules that lies ahead; 0 if none does",
            m.upgrade_height.clone(),
        );
        registry.register(
            "upgrade_version",
            "Version of the rules from that block on; 0 if none lies ahead",
            m.upgrade_version.clone(),
        );
        registry.register(
            "upgrade_known_version",
            "Newest version of the rules that this program knows",
            m.known_version.clone(),
        );
        registry.register("consensus_later_rounds", "Rounds after the first of a height", m.later_rounds.clone());
        registry.register("consensus_evidence", "Contradictions of validators that were kept", m.evidence.clone());
        registry.register("mempool_submitted", "Transactions taken from JSON-RPC", m.submitted.clone());
        registry.register("mempool_rejected", "Transactions refused from JSON-RPC", m.rejected.clone());
        registry.register("mempool_transactions", "Transactions that wait", m.mempool.clone());
        registry.register("storage_free_bytes", "Bytes that the disk still has room for", m.free_bytes.clone());
        registry.register(
            "clock_off_milliseconds",
            "By how much this node's clock is ahead of what the others agree on; 0 if it may well be right",
            m.clock_off_ms.clone(),
        );
        registry.register("network_peers", "Connected peers", m.peers.clone());
        Self { registry, ..metrics }
    }

    /// A block became final.
    pub(crate) fn committed(&self, snapshot: &Snapshot, _round: Round, transactions: usize) {
        self.height.set(snapshot.header.height.get());
        self.state_keys.set(snapshot.state.len());
        self.validators.set(u64::try_from(snapshot.validators().len()).unwrap_or(u64::MAX));
        self.blocks.inc();
        self.transactions.inc_by(u64::try_from(transactions).unwrap_or(u64::MAX));
    }

    /// What lies ahead, and what this program knows.
    pub(crate) fn upgrade_ahead(&self, upgrade: Option<Upgrade>, known_version: u16) {
        self.upgrade_height.set(upgrade.map_or(0, |upgrade| upgrade.height.get()));
        self.upgrade_version.set(upgrade.map_or(0, |upgrade| upgrade.version.into()));
        self.known_version.set(known_version.into());
    }

    /// A round began.
    pub(crate) fn round_started(&self, round: Round) {
        if round.get() > 0 {
            self.later_rounds.inc();
        }
    }

    /// Everything, as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes every write");
        text
    }
}
