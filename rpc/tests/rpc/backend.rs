//! A node in memory, over the ledger of [`World`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cairn_proofs::accumulator;
use cairn_proofs::bundle::{Anchor, Bundle, Parts, PastBlock, TransactionInclusion};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_proofs::lookup::{Lookup, Question};
use cairn_rpc::backend::{
    Backend, FinalBlock, GenesisInfo, Located, NodeState, NodeStatus, PeerInfo, ReadError, TransactionState, View,
    WaitOutcome, Warning,
};
use cairn_rpc::{Client, RpcConfig, RpcServer, serve};
use cairn_types::transaction::leaf_of;
use cairn_types::{
    AttestationRef, Block, Call, Certificate, ChainId, ContentHash, Hash, Height, Position, Rejection,
    SignedTransaction, TransactionId,
};
use tokio::sync::broadcast;

use crate::world::World;

/// Blocks that a subscriber may fall behind.
const BLOCKS_BEHIND_MAX: usize = 4;

pub(crate) struct Node {
    pub(crate) world: World,
    /// The oldest height whose state is kept.
    oldest: Height,
    state: NodeState,
    warnings: Vec<Warning>,
    pending: Mutex<BTreeMap<TransactionId, Vec<u8>>>,
    pending_max: usize,
    pub(crate) blocks: broadcast::Sender<FinalBlock>,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::of(World::new())
    }

    /// A node that holds the ledger of `world`.
    pub(crate) fn of(world: World) -> Self {
        Self {
            world,
            oldest: Height::new(1),
            state: NodeState::Validating,
            warnings: Vec::new(),
            pending: Mutex::default(),
            pending_max: usize::MAX,
            blocks: broadcast::Sender::new(BLOCKS_BEHIND_MAX),
        }
    }

    /// A node that works, and has something to say to its operator.
    pub(crate) fn warning(warnings: Vec<Warning>) -> Self {
        Self { warnings, ..Self::new() }
    }

    /// A node in which so many transactions may wait.
    pub(crate) fn with_room_for(pending_max: usize) -> Self {
        Self { pending_max, ..Self::new() }
    }

    pub(crate) fn syncing() -> Self {
        Self { state: NodeState::Syncing, ..Self::new() }
    }

    /// Tells subscribers of the block at `height`.
    pub(crate) fn announce(&self, height: usize) {
        let (block, _) = &self.world.ledger.blocks[height];
        let transactions = u32::try_from(block.transactions.len()).expect("few");
        let block = FinalBlock { header: block.header.clone(), hash: block.header.hash(), transactions };
        self.blocks.send(block).expect("somebody listens");
    }

    /// A checkpoint, and the way to it.
    fn certified(&self, view: &View) -> CheckpointProof {
        let ledger = &self.world.ledger;
        CheckpointProof {
            genesis: ledger.blocks[0].0.header.clone(),
            validators: (*ledger.validators).clone(),
            changes: Vec::new(),
            checkpoint: view.header.clone(),
            certificate: view.certificate.clone().expect("not block 0"),
        }
    }

    fn all(&self) -> impl Iterator<Item = (Located, SignedTransaction)> {
        self.world.ledger.blocks.iter().flat_map(|(block, _)| {
            (0..).zip(&block.transactions).map(|(index, bytes)| {
                let located = Located {
                    position: Position { height: block.header.height, index },
                    bytes: bytes.clone(),
                    block: block.header.hash(),
                    time_ms: block.header.time_ms,
                };
                (located, SignedTransaction::from_bytes(bytes.clone()).expect("a transaction"))
            })
        })
    }

    fn finds(&self, wanted: impl Fn(&SignedTransaction) -> bool) -> Option<Located> {
        self.all().find(|(_, transaction)| wanted(transaction)).map(|(located, _)| located)
    }

    fn accept(&self, bytes: Vec<u8>) -> Result<TransactionId, Rejection> {
        let transaction =
            SignedTransaction::from_bytes(bytes).map_err(|error| Rejection::Malformed { reason: error.to_string() })?;
        let id = transaction.id();
        if self.finds(|other| other.id() == id).is_some() {
            return Err(Rejection::Duplicate { id });
        }
        let mut pending = self.pending.lock().expect("not poisoned");
        if pending.len() >= self.pending_max {
            return Err(Rejection::Busy { reason: "its pool is full" });
        }
        pending.insert(id, transaction.bytes().to_vec());
        Ok(id)
    }
}

impl Backend for Node {
    fn chain(&self) -> ChainId {
        self.world.ledger.chain
    }

    fn genesis(&self) -> GenesisInfo {
        let ledger = &self.world.ledger;
        GenesisInfo {
            text: "[network]\nname = \"example\"\n".to_owned(),
            header: ledger.blocks[0].0.header.clone(),
            validators: Arc::clone(&ledger.validators),
        }
    }

    fn view(&self, at: Option<Height>) -> Result<Arc<View>, ReadError> {
        let latest = self.world.ledger.tip().height;
        let height = at.unwrap_or(latest);
        if height > latest {
            return Err(ReadError::HeightUnknown { height, latest });
        }
        if height < self.oldest {
            return Err(ReadError::HeightPruned { height, oldest: self.oldest });
        }
        Ok(Arc::clone(&self.world.ledger.views[usize::try_from(height.get()).expect("small")]))
    }

    fn status(&self) -> NodeStatus {
        let view = self.world.ledger.latest();
        let pending = self.pending.lock().expect("not poisoned");
        NodeStatus {
            chain: self.chain(),
            height: view.header.height,
            hash: view.hash,
            time_ms: view.header.time_ms,
            oldest_state: self.oldest,
            first_height: Height::new(1),
            state: self.state,
            validator: Some(2),
            peers: 1,
            pending: u32::try_from(pending.len()).expect("few"),
            pending_bytes: pending.values().map(|bytes| u64::try_from(bytes.len()).expect("short")).sum(),
            version: "0.1.0",
            warnings: self.warnings.clone(),
            upgrade_needed: None,
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let key = *Hash::plain(b"peer").as_bytes();
        let address = "/ip4/127.0.0.1/tcp/7101".to_owned();
        vec![PeerInfo { peer: key, address, validator: Some(0), height: Some(Height::new(4)) }]
    }

    fn metrics(&self) -> String {
        "# TYPE cairn_chain_height gauge\ncairn_chain_height 4\n# EOF\n".to_owned()
    }

    fn block(&self, height: Height) -> Result<Option<(Block, Option<Certificate>)>, ReadError> {
        let index = usize::try_from(height.get()).unwrap_or(usize::MAX);
        Ok(self.world.ledger.blocks.get(index).cloned())
    }

    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, ReadError> {
        if let Some(located) = self.finds(|transaction| transaction.id() == *id) {
            return Ok(TransactionState::Final(located));
        }
        let pending = self.pending.lock().expect("not poisoned");
        Ok(pending.get(id).map_or(TransactionState::Unknown, |bytes| TransactionState::Pending(bytes.clone())))
    }

    fn transaction_at(&self, position: Position) -> Result<Option<Located>, ReadError> {
        Ok(self.all().map(|(located, _)| located).find(|located| located.position == position))
    }

    fn attestation(&self, place: &AttestationRef) -> Result<Option<Position>, ReadError> {
        let found = self.finds(|transaction| match &transaction.body().call {
            Call::Attest(attest) => attest.stream == place.stream && attest.sequence == place.sequence,
            _ => false,
        });
        Ok(found.map(|located| located.position))
    }

    fn attestations_of(
        &self,
        content: &ContentHash,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, ReadError> {
        let attests = |transaction: &SignedTransaction| match &transaction.body().call {
            Call::Attest(attest) => attest.content.hash == *content,
            _ => false,
        };
        let positions = self.all().filter(|(_, transaction)| attests(transaction)).map(|(located, _)| located.position);
        Ok(positions.filter(|position| after.is_none_or(|after| *position > after)).take(limit).collect())
    }

    fn bundle(
        &self,
        attestation: Position,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let ledger = &self.world.ledger;
        let view = self.view(at)?;
        let latest = view.header.height;
        if let Some(height) = anchor.filter(|height| *height > latest) {
            return Err(ReadError::HeightUnknown { height, latest });
        }
        let history = ledger.history(latest);
        let past = |height: Height| {
            let index = usize::try_from(height.get()).expect("small");
            let header = ledger.blocks[index].0.header.clone();
            let history = accumulator::prove_in(&history, height.get()).expect("a block of the past");
            PastBlock { header, history }
        };
        let Some((located, transaction)) = self.all().find(|(located, _)| located.position == attestation) else {
            return Ok(None);
        };
        let block = &ledger.blocks[usize::try_from(attestation.height.get()).expect("small")].0;
        let leaves: Vec<Hash> = block.transactions.iter().map(|bytes| leaf_of(bytes)).collect();
        let parts = Parts {
            finality: self.certified(&view),
            block: Some(past(attestation.height)),
            not_before: Some(past(transaction.body().not_before.height)),
            anchor: anchor.map(past).map(|past| Anchor { hash: past.header.hash(), history: past.history }),
            inclusion: TransactionInclusion {
                count: u32::try_from(leaves.len()).expect("few"),
                proof: accumulator::prove_in(&leaves, located.position.index.into()).expect("in the block"),
            },
            transaction,
        };
        let bundle = Bundle::assemble(&view.state, parts);
        bundle.map(|bundle| Some(bundle.encode())).map_err(|error| ReadError::Storage { reason: error.to_string() })
    }

    fn lookup(&self, question: Question, at: Option<Height>) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.view(at)?;
        match Lookup::prove(&view.state, self.certified(&view), question) {
            Ok(lookup) => Ok(Some(lookup.encode())),
            Err(error) => Err(ReadError::TooLarge { reason: error.to_string() }),
        }
    }

    async fn submit(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<TransactionId, Rejection>> {
        transactions.into_iter().map(|bytes| self.accept(bytes)).collect()
    }

    async fn wait(&self, id: TransactionId, timeout: Duration) -> Result<WaitOutcome, ReadError> {
        match self.transaction(&id)? {
            TransactionState::Final(located) => Ok(WaitOutcome::Final(located)),
            TransactionState::Pending(_) | TransactionState::Unknown => {
                // Nothing becomes final here, so the whole time passes.
                tokio::time::sleep(timeout).await;
                Ok(WaitOutcome::TimedOut)
            }
        }
    }

    fn blocks(&self) -> broadcast::Receiver<FinalBlock> {
        self.blocks.subscribe()
    }
}

/// A served node, and a client of it.
pub(crate) struct Served {
    pub(crate) node: Arc<Node>,
    pub(crate) server: RpcServer,
    pub(crate) client: Client,
}

impl Served {
    pub(crate) async fn with(config: RpcConfig, node: Node) -> Self {
        let node = Arc::new(node);
        let server = serve(config, Arc::clone(&node)).await.expect("a loopback port is free");
        let client = Client::http(&format!("http://{}", server.address())).expect("a URL");
        Self { node, server, client }
    }

    pub(crate) async fn new() -> Self {
        Self::with(RpcConfig::default(), Node::new()).await
    }

    pub(crate) fn world(&self) -> &World {
        &self.node.world
    }
}
