//! The clients: they submit and read through nodes taken at random, as users would, and write down what they are told.
//!
//! A client trusts no node. What is not final after a while it offers again, to another node, in the very same bytes; so a
//! crash costs it time and nothing else. It never looks at a process or at a file.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_rpc::views::{BlockView, CertificateView, SubmissionView, Text, TransactionStateName, WarningName};
use cairn_rpc::{Client, ClientError};
use cairn_tests::actor::Writing;
use cairn_tests::{Actor, Network, Signed, actor};
use cairn_types::certificate::CertificateSignature;
use cairn_types::{
    BlockHash, BlockRef, Certificate, ChainId, GrantId, Height, Position, Round, StreamId, TransactionId, ValidatorSet,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, Interval, timeout};

use crate::history::{Recorder, Seen, SeenBlock};

/// How long a client waits for an answer: a node that is paused gives none.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long a client waits for finality before it offers a transaction to another node.
const FINAL_MAX: Duration = Duration::from_millis(1_500);

/// How long finality may take at all, over all offers: whatever the nemesis does ends sooner.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long one question to `tx_wait` waits, in milliseconds.
const WAIT_MS: u32 = 250;

/// Attestations that a device offers at once.
const BATCH: usize = 6;

/// Of so many ticks of a writer, one is a transaction that no rule allows.
const BOGUS_EVERY: u32 = 24;

/// How far ahead of its stream such a transaction claims to stand.
const BOGUS_LEAP: u64 = 1_000;

/// The nodes as clients know them, and what they are told.
pub(crate) struct Target {
    pub(crate) recorder: Recorder,
    pub(crate) chain: ChainId,
    pub(crate) validators: ValidatorSet,
    clients: Vec<Client>,
    /// Nodes that take part: the last ones join later.
    present: AtomicUsize,
    highest: AtomicU64,
    finals: Mutex<Vec<TransactionId>>,
    is_done: AtomicBool,
}

/// A device that writes a stream.
pub(crate) struct Writer {
    pub(crate) device: Actor,
    pub(crate) writing: Writing,
}

impl Target {
    pub(crate) fn of(network: &Network, validators: ValidatorSet, present: usize) -> Arc<Self> {
        let client = |node: &cairn_tests::Node| Client::http(&node.rpc).expect("a generated URL is one");
        Arc::new(Self {
            recorder: Recorder::new(),
            chain: network.chain,
            validators,
            clients: network.nodes.iter().map(client).collect(),
            present: AtomicUsize::new(present),
            highest: AtomicU64::new(0),
            finals: Mutex::new(Vec::new()),
            is_done: AtomicBool::new(false),
        })
    }

    /// From now on clients ask the first `count` nodes.
    pub(crate) fn set_present(&self, count: usize) {
        self.present.store(count, Ordering::Relaxed);
    }

    pub(crate) fn present(&self) -> usize {
        self.present.load(Ordering::Relaxed)
    }

    /// Tells the clients to finish what they began.
    pub(crate) fn finish(&self) {
        self.is_done.store(true, Ordering::Relaxed);
    }

    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    /// The highest final block that any client was told of.
    pub(crate) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    fn any(&self, dice: &mut StdRng) -> usize {
        dice.random_range(0..self.present())
    }

    fn saw(&self, height: u64) {
        self.highest.fetch_max(height, Ordering::Relaxed);
    }

    /// Some transaction that was called final.
    fn some_final(&self, dice: &mut StdRng) -> Option<TransactionId> {
        let finals = self.finals.lock().unwrap_or_else(PoisonError::into_inner);
        (!finals.is_empty()).then(|| finals[dice.random_range(0..finals.len())])
    }

    /// Every transaction that was called final.
    pub(crate) fn finals(&self) -> Vec<TransactionId> {
        let finals = self.finals.lock().unwrap_or_else(PoisonError::into_inner);
        finals.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Asks for a node's newest block.
    pub(crate) async fn ask_tip(&self, node: usize) -> Option<BlockRef> {
        let began = self.recorder.now_us();
        let status = answer(self.clients[node].chain_get_status()).await?.ok()?;
        let tip = BlockRef { height: status.height.0, hash: status.value.hash.0 };
        self.recorder.add(node, began, Seen::Tip { height: tip.height.get(), hash: tip.hash });
        self.saw(tip.height.get());
        Some(tip)
    }

    /// Whether the newest certificate of a node is of a block above `above` and has its own signature.
    pub(crate) async fn has_voted(&self, node: usize, above: u64) -> bool {
        let client = &self.clients[node];
        let Some(Ok(status)) = answer(client.chain_get_status()).await else { return false };
        let Some(Ok(newest)) = answer(client.chain_get_certificate(None)).await else { return false };
        let signed = |index| newest.value.signatures.iter().any(|signature| signature.validator == index);
        newest.value.block_height.0.get() > above && status.value.validator.is_some_and(signed)
    }

    /// Whether a node warns its operator of this.
    pub(crate) async fn warns_of(&self, node: usize, name: WarningName) -> bool {
        let health = answer(self.clients[node].node_get_health()).await;
        matches!(health, Some(Ok(health)) if health.value.warnings.iter().any(|warning| warning.name == name))
    }

    /// Asks for a block.
    pub(crate) async fn ask_block(&self, node: usize, height: u64) -> Option<()> {
        let began = self.recorder.now_us();
        let block = answer(self.clients[node].chain_get_block(Some(Text(Height::new(height))))).await?.ok()?;
        self.recorder.add(node, began, Seen::Block(self.seen_block(&block.value)));
        Some(())
    }

    fn seen_block(&self, block: &BlockView) -> SeenBlock {
        let header = &block.header;
        let is_certified =
            block.certificate.as_ref().is_some_and(|view| self.verifies(view, header.height.0, header.hash.0));
        SeenBlock {
            height: header.height.0.get(),
            hash: header.hash.0,
            parent: header.parent.0,
            time_ms: header.time_ms.0,
            is_certified,
            transactions: block.transactions.iter().map(|line| line.id.0).collect(),
        }
    }

    fn verifies(&self, view: &CertificateView, height: Height, block: BlockHash) -> bool {
        let signature = |one: &cairn_rpc::views::CertificateSignatureView| {
            Some(CertificateSignature {
                validator: one.validator,
                signature: one.signature.0.as_slice().try_into().ok()?,
            })
        };
        let Some(signatures) = view.signatures.iter().map(signature).collect() else { return false };
        let certificate =
            Certificate { height: view.block_height.0, round: Round::new(view.round), block: view.block.0, signatures };
        certificate.verify(&self.chain, height, &block, &self.validators).is_ok()
    }

    pub(crate) async fn ask_stream(&self, node: usize, stream: StreamId) -> Option<()> {
        let began = self.recorder.now_us();
        let view = answer(self.clients[node].stream_get(Text(stream), None)).await?.ok()?;
        let (at, count, head) = (view.height.0.get(), view.value.count.0, view.value.head.0);
        self.recorder.add(node, began, Seen::Stream { stream, at, count, head });
        Some(())
    }

    /// Asks what became of a transaction; whether it is final.
    pub(crate) async fn ask_transaction(&self, node: usize, id: TransactionId) -> Option<bool> {
        let began = self.recorder.now_us();
        let seen = match answer(self.clients[node].tx_get(Text(id), None)).await? {
            Ok(view) => match (view.value.state, view.value.receipt) {
                (TransactionStateName::Final, Some(receipt)) => {
                    Seen::Final { id, position: Position::from(receipt.position), block: receipt.block.0 }
                }
                _ => Seen::Pending(id),
            },
            Err(error) if error.name() == Some("TransactionUnknown") => Seen::Unknown(id),
            Err(_) => return None,
        };
        Some(self.note(node, began, id, seen))
    }

    /// Waits a little for a transaction; whether it is final.
    async fn wait_for(&self, node: usize, id: TransactionId) -> Option<bool> {
        let began = self.recorder.now_us();
        let receipt = answer(self.clients[node].tx_wait(Text(id), Some(WAIT_MS))).await?.ok()?.value;
        let seen = Seen::Final { id, position: Position::from(receipt.position), block: receipt.block.0 };
        Some(self.note(node, began, id, seen))
    }

    fn note(&self, node: usize, began: u64, id: TransactionId, seen: Seen) -> bool {
        let position = match seen {
            Seen::Final { position, .. } => Some(position),
            _ => None,
        };
        self.recorder.add(node, began, seen);
        if let Some(position) = position {
            self.saw(position.height.get());
            self.finals.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
        position.is_some()
    }

    /// Offers transactions to a node; the rules by which it refuses any.
    pub(crate) async fn offer(&self, node: usize, signed: &[Signed]) -> Vec<String> {
        let began = self.recorder.now_us();
        let bytes = signed.iter().map(|one| Text(one.bytes().to_vec())).collect();
        let Some(Ok(answers)) = answer(self.clients[node].tx_submit_many(bytes)).await else {
            for one in signed {
                self.recorder.add(node, began, Seen::Unanswered(one.id()));
            }
            return Vec::new();
        };
        let mut refused = Vec::new();
        for (one, result) in signed.iter().zip(answers.value.results) {
            let id = one.id();
            match result {
                SubmissionView::Accepted(_) => self.recorder.add(node, began, Seen::Taken(id)),
                SubmissionView::Error(error) => {
                    let rule = error.data.name;
                    refused.push(rule.clone());
                    self.recorder.add(node, began, Seen::Refused { id, rule });
                }
            }
        }
        refused
    }

    /// Offers transactions until all of them are final, looking at them in between.
    ///
    /// # Panics
    /// If that takes too long: then the network does not recover.
    pub(crate) async fn finalize(&self, mut open: Vec<Signed>, pace: &mut Interval, dice: &mut StdRng) {
        let began = Instant::now();
        let mut said = Vec::new();
        while !open.is_empty() {
            assert!(
                began.elapsed() < PATIENCE,
                "{} transactions do not become final; nodes last said {said:?}",
                open.len()
            );
            said = self.offer(self.any(dice), &open).await;
            let offered = Instant::now();
            while offered.elapsed() < FINAL_MAX && !open.is_empty() {
                pace.tick().await;
                let (node, which) = (self.any(dice), dice.random_range(0..open.len()));
                let id = open[which].id();
                let is_final = if dice.random_range(0..4) == 0 {
                    self.wait_for(node, id).await
                } else {
                    self.ask_transaction(node, id).await
                };
                if is_final == Some(true) {
                    open.swap_remove(which);
                }
            }
        }
    }
}

/// An answer, if it comes in time; a node that cannot be reached gives none.
async fn answer<T>(call: impl Future<Output = Result<T, ClientError>>) -> Option<Result<T, ClientError>> {
    match timeout(ANSWER_MAX, call).await {
        Ok(Ok(answer)) => Some(Ok(answer)),
        Ok(Err(error @ ClientError::Refused(_))) => Some(Err(error)),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// Writes a stream until it is told to finish.
pub(crate) async fn write(
    target: Arc<Target>,
    mut writer: Writer,
    not_before: BlockRef,
    mut pace: Interval,
    seed: u64,
) {
    let mut dice = StdRng::seed_from_u64(seed);
    while !target.is_done() {
        let attest = |_| {
            let content = writer.writing.sequence.to_le_bytes();
            writer.writing.attest(target.chain, &writer.device, not_before, &content)
        };
        let batch: Vec<Signed> = (0..BATCH).map(attest).collect();
        target.finalize(batch, &mut pace, &mut dice).await;
        if dice.random_range(0..BOGUS_EVERY) < u32::try_from(BATCH).expect("a few") {
            pace.tick().await;
            let mut ahead = writer.writing.clone();
            ahead.sequence += BOGUS_LEAP + dice.random_range(0..BOGUS_LEAP);
            let bogus = [ahead.attest(target.chain, &writer.device, not_before, b"never said")];
            target.offer(target.any(&mut dice), &bogus).await;
            target.offer(target.any(&mut dice), &bogus).await;
        }
    }
}

/// Registers devices until it is told to finish. Their seeds begin at `first`.
pub(crate) async fn register(target: Arc<Target>, owner: Actor, first: u64, mut pace: Interval, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut next = first;
    while !target.is_done() {
        pace.tick().await;
        let Some(tip) = target.ask_tip(target.any(&mut dice)).await else { continue };
        let zone = actor::zone(owner.organization(), "yard");
        let register = |seed| {
            let call = actor::register(seed, owner.organization(), zone.clone());
            actor::sign(target.chain, &owner, tip, call, &[&actor::device(seed)])
        };
        let batch = (next..next + 2).map(register).collect();
        next += 2;
        target.finalize(batch, &mut pace, &mut dice).await;
    }
}

/// Reads whatever there is until it is told to finish.
pub(crate) async fn read(target: Arc<Target>, streams: Vec<StreamId>, mut pace: Interval, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    while !target.is_done() {
        pace.tick().await;
        let node = target.any(&mut dice);
        // Without an answer there is nothing to write down.
        match dice.random_range(0..8) {
            0..3 => _ = target.ask_tip(node).await,
            3..5 => {
                if let Some(id) = target.some_final(&mut dice) {
                    _ = target.ask_transaction(node, id).await;
                }
            }
            5 => _ = target.ask_block(node, dice.random_range(1..=target.highest().max(1))).await,
            _ => _ = target.ask_stream(node, streams[dice.random_range(0..streams.len())]).await,
        }
    }
}

/// Registers devices of the first organization, and opens a stream of each.
pub(crate) async fn prepare(network: &Network, count: u64) -> (Vec<Writer>, BlockRef) {
    let (node, owner) = (&network.nodes[0], &network.organizations[0]);
    let tip = node.tip().await;
    let zone = actor::zone(owner.organization(), "plant");
    let granted = actor::sign(network.chain, owner, tip, actor::grant_attest(zone.clone()), &[]);
    let grant = GrantId::of(&granted.id());
    let mut all = vec![granted];
    let mut writers = Vec::new();
    for seed in 0..count {
        let device = actor::device(seed);
        let call = actor::register(seed, owner.organization(), zone.clone());
        all.push(actor::sign(network.chain, owner, tip, call, &[&device]));
        let (opened, writing) = Writing::open(network.chain, &device, tip, "readings", grant);
        all.push(opened);
        writers.push(Writer { device, writing });
    }
    for signed in &all {
        node.submit(signed).await.expect("the preparations are taken");
    }
    let mut height = 0;
    for signed in &all {
        height = node.wait_for(signed).await.max(height);
    }
    // What the devices sign rests on the preparations, so every node must have them before the first client comes.
    network.wait_for_height(height).await;
    (writers, tip)
}
