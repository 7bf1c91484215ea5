//! A node in memory over the scene's ledger: what answers hostile questions. It says yes to every transaction that decodes,
//! and never waits.

use std::sync::Arc;
use std::time::Duration;

use cairn_proofs::lookup::{Lookup, Question};
use cairn_rpc::backend::{
    Backend, FinalBlock, GenesisInfo, Located, NodeState, NodeStatus, PeerInfo, ReadError, TransactionState, View,
    WaitOutcome,
};
use cairn_types::{
    AttestationRef, Block, Call, Certificate, ChainId, ContentHash, Hash, Height, Position, Rejection,
    SignedTransaction, TransactionId,
};
use tokio::sync::broadcast;

use super::scene::Scene;

/// The oldest height whose state is kept.
const OLDEST: u64 = 5;

/// See the module.
pub struct Node {
    scene: &'static Scene,
    views: Vec<Arc<View>>,
    all: Vec<(Located, SignedTransaction)>,
    blocks: broadcast::Sender<FinalBlock>,
}

impl Node {
    /// A node that has all of the scene.
    pub fn new(scene: &'static Scene) -> Self {
        let chain = &scene.chain;
        let view = |height: usize| {
            let header = scene.blocks[height].header.clone();
            Arc::new(View {
                hash: header.hash(),
                certificate: (height > 0).then(|| chain.finality(height).certificate),
                state: chain.state(height).clone(),
                validators: Arc::clone(&scene.validators),
                header,
            })
        };
        let all = scene.blocks.iter().flat_map(|block| {
            (0..).zip(&block.transactions).map(|(index, bytes)| {
                let located = Located {
                    position: Position { height: block.header.height, index },
                    bytes: bytes.clone(),
                    block: block.header.hash(),
                    time_ms: block.header.time_ms,
                };
                (located, SignedTransaction::from_bytes(bytes.clone()).expect("the scene's transactions decode"))
            })
        });
        Self {
            scene,
            views: (0..chain.len()).map(view).collect(),
            all: all.collect(),
            blocks: broadcast::Sender::new(4),
        }
    }

    fn finds(&self, wanted: impl Fn(&SignedTransaction) -> bool) -> Option<Located> {
        self.all.iter().find(|(_, transaction)| wanted(transaction)).map(|(located, _)| located.clone())
    }

    fn height(&self) -> Height {
        Height::new(self.views.len() as u64 - 1)
    }
}

impl Backend for Node {
    fn chain(&self) -> ChainId {
        self.scene.chain.id()
    }

    fn genesis(&self) -> GenesisInfo {
        GenesisInfo {
            text: "[network]\n".to_owned(),
            header: self.views[0].header.clone(),
            validators: Arc::clone(&self.scene.validators),
        }
    }

    fn view(&self, at: Option<Height>) -> Result<Arc<View>, ReadError> {
        let (latest, oldest) = (self.height(), Height::new(OLDEST));
        let height = at.unwrap_or(latest);
        if height < oldest {
            return Err(ReadError::HeightPruned { height, oldest });
        }
        let place = usize::try_from(height.get()).ok();
        let view = place.and_then(|place| self.views.get(place));
        view.cloned().ok_or(ReadError::HeightUnknown { height, latest })
    }

    fn status(&self) -> NodeStatus {
        let view = &self.views[self.views.len() - 1];
        NodeStatus {
            chain: self.chain(),
            height: view.header.height,
            hash: view.hash,
            time_ms: view.header.time_ms,
            oldest_state: Height::new(OLDEST),
            first_height: Height::new(1),
            state: NodeState::Validating,
            validator: Some(0),
            peers: 1,
            pending: 0,
            pending_bytes: 0,
            version: "0.1.0",
            warnings: Vec::new(),
            upgrade_needed: None,
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let (peer, address) = (*Hash::plain(b"peer").as_bytes(), "/ip4/127.0.0.1/tcp/7101".to_owned());
        vec![PeerInfo { peer, address, validator: Some(0), height: Some(Height::new(4)) }]
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn block(&self, height: Height) -> Result<Option<(Block, Option<Certificate>)>, ReadError> {
        let place = usize::try_from(height.get()).unwrap_or(usize::MAX);
        let block = self.scene.blocks.get(place).cloned();
        Ok(block.map(|block| (block, self.views[place].certificate.clone())))
    }

    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, ReadError> {
        let found = self.finds(|transaction| transaction.id() == *id);
        Ok(found.map_or(TransactionState::Unknown, TransactionState::Final))
    }

    fn transaction_at(&self, position: Position) -> Result<Option<Located>, ReadError> {
        Ok(self.all.iter().map(|(located, _)| located).find(|located| located.position == position).cloned())
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
        let of = |transaction: &SignedTransaction| match &transaction.body().call {
            Call::Attest(attest) => attest.content.hash == *content,
            _ => false,
        };
        let positions = self.all.iter().filter(|(_, transaction)| of(transaction)).map(|(located, _)| located.position);
        Ok(positions.filter(|position| after.is_none_or(|after| *position > after)).take(limit).collect())
    }

    fn bundle(
        &self,
        attestation: Position,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.view(at)?;
        let latest = view.header.height;
        if let Some(height) = anchor.filter(|height| *height > latest) {
            return Err(ReadError::HeightUnknown { height, latest });
        }
        let place = |height: Height| usize::try_from(height.get()).unwrap_or(usize::MAX);
        let found = self.all.iter().find(|(located, transaction)| {
            located.position == attestation && matches!(transaction.body().call, Call::Attest(_))
        });
        let Some((_, transaction)) = found.filter(|(located, _)| located.position.height <= latest) else {
            return Ok(None);
        };
        // A checkpoint is not in its own history.
        let anchor = anchor.filter(|height| *height < latest).map(|height| self.scene.chain.at(place(height)));
        Ok(Some(self.scene.chain.bundle_at(place(latest), &transaction.id(), anchor).encode()))
    }

    fn lookup(&self, question: Question, at: Option<Height>) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.view(at)?;
        let place = usize::try_from(view.header.height.get()).unwrap_or(usize::MAX);
        match Lookup::prove(&view.state, self.scene.chain.finality(place), question) {
            Ok(lookup) => Ok(Some(lookup.encode())),
            Err(error) => Err(ReadError::TooLarge { reason: error.to_string() }),
        }
    }

    async fn submit(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<TransactionId, Rejection>> {
        let accept = |bytes| match SignedTransaction::from_bytes(bytes) {
            Ok(transaction) => Ok(transaction.id()),
            Err(error) => Err(Rejection::Malformed { reason: error.to_string() }),
        };
        transactions.into_iter().map(accept).collect()
    }

    async fn wait(&self, id: TransactionId, _: Duration) -> Result<WaitOutcome, ReadError> {
        Ok(match self.transaction(&id)? {
            TransactionState::Final(located) => WaitOutcome::Final(located),
            TransactionState::Pending(_) | TransactionState::Unknown => WaitOutcome::TimedOut,
        })
    }

    fn blocks(&self) -> broadcast::Receiver<FinalBlock> {
        self.blocks.subscribe()
    }
}
