//! What this node counts, in Prometheus' text form. Names are `cairn_<component>_<what>_<unit>`; no peer and no height is
//! a label.

use std::sync::atomic::AtomicU64;

use cairn_types::Round;
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
    pub(crate) submitted: Counter,
    pub(crate) rejected: Counter,
    pub(crate) evidence: Counter,
    pub(crate) mempool: Gauge<u64, AtomicU64>,
    pub(crate) peers: Gauge<u64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("cairn");
        let (height, state_keys, mempool, peers) = <_>::default();
        let (blocks, transactions, later_rounds, submitted, rejected, evidence) = <_>::default();
        let metrics = Self {
            height,
            blocks,
            transactions,
            later_rounds,
            state_keys,
            submitted,
            rejected,
            evidence,
            mempool,
            peers,
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
        registry.register("consensus_later_rounds", "Rounds after the first of a height", m.later_rounds.clone());
        registry.register("consensus_evidence", "Contradictions of validators that were kept", m.evidence.clone());
        registry.register("mempool_submitted", "Transactions taken from JSON-RPC", m.submitted.clone());
        registry.register("mempool_rejected", "Transactions refused from JSON-RPC", m.rejected.clone());
        registry.register("mempool_transactions", "Transactions that wait", m.mempool.clone());
        registry.register("network_peers", "Connected peers", m.peers.clone());
        Self { registry, ..metrics }
    }

    /// A block became final.
    pub(crate) fn committed(&self, snapshot: &Snapshot, _round: Round, transactions: usize) {
        self.height.set(snapshot.header.height.get());
        self.state_keys.set(snapshot.state.len());
        self.blocks.inc();
        self.transactions.inc_by(u64::try_from(transactions).unwrap_or(u64::MAX));
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
