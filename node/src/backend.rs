//! What JSON-RPC asks of this node, answered from [`Chain`] and the mempool.

use std::sync::Arc;
use std::time::Duration;

use cairn_network::NetworkHandle;
use cairn_proofs::bundle::{Anchor, Bundle, Parts, PastBlock, TransactionInclusion};
use cairn_proofs::lookup::{Lookup, LookupError, Question};
use cairn_rpc::Backend;
use cairn_rpc::backend::{
    FinalBlock, GenesisInfo, Located, NodeState, NodeStatus, PeerInfo, ReadError, TransactionState, View, WaitOutcome,
    Warning,
};
use cairn_types::governance::PROTOCOL_VERSION;
use cairn_types::{
    AttestationRef, Block, Call, Certificate, ChainId, ContentHash, Header, Height, Position, Rejection,
    SignedTransaction, TransactionId, ValidatorIndex,
};
use tokio::sync::{broadcast, mpsc};

use crate::chain::{self, Chain, Outcome, Snapshot};
use crate::mempool::Mempool;
use crate::shared::{Activity, Shared};
use crate::submissions::{Judged, Submissions};

use self::recent::RecentBlocks;

mod recent;

/// Final blocks that a subscriber may lag behind.
const SUBSCRIPTION_BLOCKS: usize = 256;

/// Most transactions that are handed to the driver at once, so that votes need not wait for it to gossip them.
const ACCEPTED_AT_ONCE_MAX: usize = 1_024;

/// See the module.
pub(crate) struct NodeBackend {
    chain: Arc<Chain>,
    mempool: Arc<Mempool>,
    submissions: Submissions,
    shared: Arc<Shared>,
    network: NetworkHandle,
    accepted: mpsc::Sender<Vec<Arc<SignedTransaction>>>,
    genesis_text: String,
    key: Option<[u8; 32]>,
    blocks: broadcast::Sender<FinalBlock>,
    /// Blocks that somebody waited for.
    recent: RecentBlocks,
}

impl NodeBackend {
    pub(crate) fn new(
        chain: Arc<Chain>,
        mempool: Arc<Mempool>,
        shared: Arc<Shared>,
        network: NetworkHandle,
        accepted: mpsc::Sender<Vec<Arc<SignedTransaction>>>,
        genesis_text: String,
        key: Option<[u8; 32]>,
    ) -> Arc<Self> {
        let blocks = broadcast::channel(SUBSCRIPTION_BLOCKS).0;
        tokio::spawn(forward(chain.subscribe(), blocks.clone()));
        Arc::new(Self {
            chain,
            submissions: Submissions::start(Arc::clone(&mempool)),
            mempool,
            shared,
            network,
            accepted,
            genesis_text,
            key,
            blocks,
            recent: RecentBlocks::default(),
        })
    }

    /// A final height; the latest one, if none is named.
    fn snapshot(&self, at: Option<Height>) -> Result<Arc<Snapshot>, ReadError> {
        let tip = self.chain.tip();
        match at {
            None => Ok(tip),
            Some(height) if height > tip.header.height => {
                Err(ReadError::HeightUnknown { height, latest: tip.header.height })
            }
            Some(height) => self
                .chain
                .snapshot(height)
                .ok_or_else(|| ReadError::HeightPruned { height, oldest: self.chain.oldest_snapshot() }),
        }
    }

    /// Our place among those who decide next: consensus key and network key are those of one validator.
    fn own_index(&self, tip: &Snapshot) -> Option<ValidatorIndex> {
        let index = tip.validators().index_of(&self.key?)?;
        let validator = tip.validators().get(index)?;
        (validator.peer == *self.network.peer_key().as_bytes()).then_some(index)
    }

    fn located(&self, position: Position) -> Result<Option<Located>, ReadError> {
        let Some((header, bytes)) = self.chain.transaction_at(position).map_err(storage)? else { return Ok(None) };
        Ok(Some(Located { position, bytes, block: header.hash(), time_ms: header.time_ms }))
    }

    /// What somebody waited for: nearly always in the newest block.
    fn awaited(&self, position: Position) -> Result<Option<Located>, ReadError> {
        let read = |height| Ok(self.chain.block(height).map_err(storage)?.map(|(block, _)| block));
        self.recent.located(position, read)
    }

    fn final_transaction(&self, id: &TransactionId) -> Result<Option<Located>, ReadError> {
        match self.chain.position(id).map_err(storage)? {
            Some(position) => self.located(position),
            None => Ok(None),
        }
    }

    /// The header of the block at `height`, proven to be in the checkpoint's history; the block need not be here any more.
    fn past_header(&self, height: Height, checkpoint: Height) -> Result<Option<PastBlock>, ReadError> {
        let Some(header) = self.chain.header(height).map_err(storage)? else { return Ok(None) };
        let history = self.chain.history_proof(height, checkpoint).map_err(storage)?;
        Ok(Some(PastBlock { header, history }))
    }

    /// The block that an auditor wants to find in the checkpoint's history. The checkpoint itself needs no proof.
    fn anchor(&self, wanted: Option<Height>, checkpoint: Height) -> Result<Option<Anchor>, ReadError> {
        match wanted {
            Some(height) if height > checkpoint => Err(ReadError::HeightUnknown { height, latest: checkpoint }),
            Some(height) if height < checkpoint => {
                let Some(hash) = self.chain.hash_at(height).map_err(storage)? else { return Ok(None) };
                Ok(Some(Anchor { hash, history: self.chain.history_proof(height, checkpoint).map_err(storage)? }))
            }
            _ => Ok(None),
        }
    }

    /// Answers a question about the state of a height, with proof.
    fn look_up(&self, question: Question, at: Option<Height>) -> Result<Option<Vec<u8>>, ReadError> {
        let snapshot = self.snapshot(at)?;
        let Some(certified) = self.chain.checkpoint_proof(&snapshot).map_err(storage)? else { return Ok(None) };
        match Lookup::prove(&snapshot.state, certified, question) {
            Ok(lookup) => Ok(Some(lookup.encode())),
            Err(error @ (LookupError::TooLarge { .. } | LookupError::Proof(_))) => {
                Err(ReadError::TooLarge { reason: error.to_string() })
            }
            Err(error) => Err(ReadError::Storage { reason: error.to_string() }),
        }
    }

    fn assemble(
        &self,
        position: Position,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<Option<Bundle>, ReadError> {
        let tip = self.snapshot(at)?;
        let Some(finality) = self.chain.checkpoint_proof(&tip).map_err(storage)? else { return Ok(None) };
        let checkpoint = tip.header.height;
        if position.height > checkpoint {
            return Ok(None);
        }
        let Some((block, _)) = self.chain.block(position.height).map_err(storage)? else { return Ok(None) };
        let past = if position.height == checkpoint {
            None
        } else {
            let history = self.chain.history_proof(position.height, checkpoint).map_err(storage)?;
            Some(PastBlock { header: block.header.clone(), history })
        };
        let index = usize::try_from(position.index).unwrap_or(usize::MAX);
        let Some(bytes) = block.transactions.get(index) else { return Ok(None) };
        let transaction = SignedTransaction::from_bytes(bytes.clone())
            .map_err(|error| ReadError::Storage { reason: error.to_string() })?;
        if !matches!(transaction.body().call, Call::Attest(_)) {
            return Ok(None);
        }
        let not_before = match transaction.body().not_before.height {
            Height::GENESIS => None,
            height => self.past_header(height, checkpoint)?,
        };
        let proof = Chain::transaction_proof(&block, position.index).map_err(storage)?;
        let count = u32::try_from(block.transactions.len()).unwrap_or(u32::MAX);
        let parts = Parts {
            finality,
            block: past,
            not_before,
            anchor: self.anchor(anchor, checkpoint)?,
            transaction,
            inclusion: TransactionInclusion { count, proof },
        };
        match Bundle::assemble(&tip.state, parts) {
            Ok(bundle) => Ok(Some(bundle)),
            Err(error) => Err(ReadError::TooLarge { reason: error.to_string() }),
        }
    }

    /// What an operator should look at.
    fn warnings(&self) -> Vec<Warning> {
        let (free_bytes, low_water_bytes) = self.shared.low_water.measured();
        let disk = self.shared.low_water.is_low().then_some(Warning::DiskNearlyFull { free_bytes, low_water_bytes });
        let off_ms = self.shared.clock_off_ms();
        let clock = (off_ms != 0).then_some(Warning::ClockOff { off_ms });
        disk.into_iter().chain(clock).collect()
    }

    async fn submit_all(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<TransactionId, Rejection>> {
        if self.shared.low_water.is_low() {
            let refuse = |_| Err(Rejection::Busy { reason: "its disk is nearly full; ask another node" });
            return transactions.into_iter().map(refuse).collect();
        }
        let Judged { taken, outcomes } = self.submissions.judge(transactions).await;
        let refused = outcomes.len().saturating_sub(taken.len());
        self.shared.metrics.submitted.inc_by(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        self.shared.metrics.rejected.inc_by(u64::try_from(refused).unwrap_or(u64::MAX));
        for taken in taken.chunks(ACCEPTED_AT_ONCE_MAX) {
            // Only a driver that has ended does not listen, and then the node ends too.
            let _ = self.accepted.send(taken.to_vec()).await;
        }
        outcomes
    }

    async fn wait_for(&self, id: TransactionId, timeout: Duration) -> Result<WaitOutcome, ReadError> {
        let Some(receiver) = self.chain.wait(id) else {
            return Ok(WaitOutcome::TimedOut);
        };
        // It may have become final before we listened.
        if let Some(located) = self.final_transaction(&id)? {
            return Ok(WaitOutcome::Final(located));
        }
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(Outcome::Final(position))) => match self.awaited(position)? {
                Some(located) => Ok(WaitOutcome::Final(located)),
                None => Err(ReadError::Storage { reason: format!("there is no transaction at {position}") }),
            },
            Ok(Ok(Outcome::Rejected(rejection))) => Ok(WaitOutcome::Rejected(rejection)),
            Ok(Err(_)) | Err(_) => Ok(WaitOutcome::TimedOut),
        }
    }
}

fn storage(error: chain::ReadError) -> ReadError {
    if let chain::ReadError::BlockPruned { height, first } = error {
        return ReadError::BlockPruned { height, first };
    }
    tracing::error!(%error, "reading the ledger failed");
    ReadError::Storage { reason: error.to_string() }
}

/// Tells subscribers of every block, in the interface's words, for as long as the chain lives.
async fn forward(mut snapshots: broadcast::Receiver<Arc<Snapshot>>, blocks: broadcast::Sender<FinalBlock>) {
    loop {
        match snapshots.recv().await {
            Ok(snapshot) => {
                let Snapshot { header, hash, transactions, .. } = snapshot.as_ref();
                // Nobody need be subscribed.
                let _ = blocks.send(FinalBlock { header: header.clone(), hash: *hash, transactions: *transactions });
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

impl Backend for NodeBackend {
    fn chain(&self) -> ChainId {
        self.chain.id
    }

    fn genesis(&self) -> GenesisInfo {
        GenesisInfo {
            text: self.genesis_text.clone(),
            header: self.chain.genesis.block.header.clone(),
            validators: Arc::new(self.chain.genesis.validators.clone()),
        }
    }

    fn view(&self, at: Option<Height>) -> Result<Arc<View>, ReadError> {
        let snapshot = self.snapshot(at)?;
        Ok(Arc::new(View {
            header: snapshot.header.clone(),
            hash: snapshot.hash,
            certificate: snapshot.certificate.clone(),
            state: snapshot.state.clone(),
            validators: Arc::clone(&snapshot.deciders.block),
        }))
    }

    fn status(&self) -> NodeStatus {
        let tip = self.chain.tip();
        let (pending, pending_bytes) = self.mempool.size();
        let peers = self.network.peers().len();
        NodeStatus {
            chain: self.chain.id,
            height: tip.header.height,
            hash: tip.hash,
            time_ms: tip.header.time_ms,
            oldest_state: self.chain.oldest_snapshot(),
            first_height: self.chain.first_block(),
            state: match self.shared.activity() {
                Activity::Starting | Activity::Waiting => NodeState::Starting,
                Activity::Syncing => NodeState::Syncing,
                Activity::Following => NodeState::Following,
                Activity::Validating => NodeState::Validating,
            },
            validator: self.own_index(&tip),
            peers: u32::try_from(peers).unwrap_or(u32::MAX),
            pending: u32::try_from(pending).unwrap_or(u32::MAX),
            pending_bytes: u64::try_from(pending_bytes).unwrap_or(u64::MAX),
            version: env!("CARGO_PKG_VERSION"),
            warnings: self.warnings(),
            upgrade_needed: tip.upgrade.filter(|upgrade| upgrade.version > PROTOCOL_VERSION),
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let validators = Arc::clone(self.chain.tip().validators());
        let info = |peer: cairn_network::PeerStatus| PeerInfo {
            peer: *peer.key.as_bytes(),
            address: peer.address,
            validator: validators.index_of_peer(peer.key.as_bytes()) as Option<ValidatorIndex>,
            height: None,
        };
        self.network.peers().into_iter().map(info).collect()
    }

    fn metrics(&self) -> String {
        let metrics = &self.shared.metrics;
        metrics.mempool.set(u64::try_from(self.mempool.size().0).unwrap_or(u64::MAX));
        metrics.peers.set(u64::try_from(self.network.peers().len()).unwrap_or(u64::MAX));
        metrics.text()
    }

    fn block(&self, height: Height) -> Result<Option<(Block, Option<Certificate>)>, ReadError> {
        if height > self.chain.tip().header.height {
            return Ok(None);
        }
        self.chain.block(height).map_err(storage)
    }

    fn header(&self, height: Height) -> Result<Option<Header>, ReadError> {
        if height > self.chain.tip().header.height {
            return Ok(None);
        }
        self.chain.header(height).map_err(storage)
    }

    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, ReadError> {
        if let Some(located) = self.final_transaction(id)? {
            return Ok(TransactionState::Final(located));
        }
        let pending = self.mempool.get(id).map(|transaction| TransactionState::Pending(transaction.bytes().to_vec()));
        Ok(pending.unwrap_or(TransactionState::Unknown))
    }

    fn transaction_at(&self, position: Position) -> Result<Option<Located>, ReadError> {
        if position.height > self.chain.tip().header.height {
            return Ok(None);
        }
        self.located(position)
    }

    fn attestation(&self, place: &AttestationRef) -> Result<Option<Position>, ReadError> {
        self.chain.attestation(&place.stream, place.sequence).map_err(storage)
    }

    fn attestations_of(
        &self,
        content: &ContentHash,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, ReadError> {
        self.chain.attestations_of(content, after, limit).map_err(storage)
    }

    fn bundle(
        &self,
        attestation: Position,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.assemble(attestation, anchor, at)?.map(|bundle| bundle.encode()))
    }

    fn lookup(&self, question: Question, at: Option<Height>) -> Result<Option<Vec<u8>>, ReadError> {
        self.look_up(question, at)
    }

    fn submit(&self, transactions: Vec<Vec<u8>>) -> impl Future<Output = Vec<Result<TransactionId, Rejection>>> + Send {
        self.submit_all(transactions)
    }

    fn wait(
        &self,
        id: TransactionId,
        timeout: Duration,
    ) -> impl Future<Output = Result<WaitOutcome, ReadError>> + Send {
        self.wait_for(id, timeout)
    }

    fn blocks(&self) -> broadcast::Receiver<FinalBlock> {
        self.blocks.subscribe()
    }
}
