//! A real network on which a scenario plays, seen only through its public door: JSON-RPC answers, and files that are
//! judged here against the genesis hash.
//!
//! Whatever a scenario judges is kept, and asked of the second verifier at the end ([`Stage::close`]); the two must agree.
//! It never looks inside a node.

use std::cell::{Cell, RefCell};
use std::process::Command;

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{Expectations, Outcome, Verdict};
use cairn_rpc::ClientError;
use cairn_rpc::error::ErrorView;
use cairn_rpc::views::{ContentEvidenceView, DeviceView, Text, VerdictView};
use cairn_types::{
    AttestationRef, Call, ChainId, DeviceId, GrantId, Position, Scope, StreamId, TransactionId, ValidatorSet, Zone,
};
use serde_json::Value;

use crate::actor::{self, Writing, sign, zone};
use crate::calls;
use crate::network::program;
use crate::papers::Papers;
use crate::{Actor, Network, Node, Signed};

/// Milliseconds for which a node is asked to wait for a transaction: the longest that it allows.
const WAIT_MS: u32 = 60_000;

/// See the module.
pub struct Stage {
    /// The network.
    pub network: Network,
    asked: Cell<usize>,
    papers: RefCell<Papers>,
}

/// A transaction that is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub id: TransactionId,
    /// Where it stands.
    pub position: Position,
}

/// A device that writes a stream.
#[derive(Clone)]
pub struct Meter {
    /// The seed of its keys.
    pub seed: u64,
    /// The device, with the key that it signs with.
    pub device: Actor,
    /// Its stream.
    pub writing: Writing,
}

impl Meter {
    /// Its id.
    pub fn id(&self) -> DeviceId {
        self.device.device()
    }

    /// Its stream.
    pub const fn stream(&self) -> StreamId {
        self.writing.stream
    }

    /// A place in its stream.
    pub const fn place(&self, sequence: u64) -> AttestationRef {
        AttestationRef { stream: self.writing.stream, sequence }
    }
}

/// Devices that attest only so that blocks are made: one for each of the first four nodes.
pub struct Clockwork([Meter; 4]);

impl Stage {
    /// Starts a network of four validators with these options of `cairn testnet generate`.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn open(options: &[&str]) -> Self {
        Self::on(Network::start(4, 0, options).await)
    }

    /// Plays on a network that runs.
    pub const fn on(network: Network) -> Self {
        let papers = RefCell::new(Papers::of(network.chain));
        Self { network, asked: Cell::new(0), papers }
    }

    /// The chain.
    pub const fn chain(&self) -> ChainId {
        self.network.chain
    }

    /// The node that is asked: the first, unless the scenario chose another.
    pub fn node(&self) -> &Node {
        &self.network.nodes[self.asked.get()]
    }

    /// From now on this node is asked.
    pub fn ask(&self, node: usize) {
        self.asked.set(node);
    }

    /// The organization that runs devices, `water-works`.
    pub fn works(&self) -> &Actor {
        &self.network.organizations[0]
    }

    /// The organization that makes devices, `meter-maker`.
    pub fn maker(&self) -> &Actor {
        &self.network.organizations[1]
    }

    /// The organization that audits, `city-audit`.
    pub fn auditor(&self) -> &Actor {
        &self.network.organizations[2]
    }

    /// A call in the name of `signer`, who has seen the newest block, signed also by `others`.
    pub async fn signed(&self, signer: &Actor, call: Call, others: &[&Actor]) -> Signed {
        sign(self.chain(), signer, self.node().tip().await, call, others)
    }

    /// Has a call made, and waits until it is final.
    ///
    /// # Panics
    /// If it is refused, or does not become final.
    pub async fn say(&self, signer: &Actor, call: Call, others: &[&Actor]) -> Said {
        self.finalize(&self.signed(signer, call, others).await).await
    }

    /// Has the whole council sign a measure, and waits until it is final.
    ///
    /// # Panics
    /// If it is refused, or does not become final.
    pub async fn decide(&self, call: Call) -> Said {
        self.say(self.works(), call, &[self.maker(), self.auditor()]).await
    }

    /// Submits, and waits until it is final.
    ///
    /// # Panics
    /// If it is refused, or does not become final.
    pub async fn finalize(&self, transaction: &Signed) -> Said {
        let call = transaction.body().call.name();
        if let Err(refused) = self.try_submit(self.node(), transaction).await {
            panic!("the {call} is refused: {} {}", refused.data.name, refused.message);
        }
        self.wait_for(transaction.id()).await
    }

    /// Waits until a transaction is final.
    ///
    /// # Panics
    /// If it does not become final.
    pub async fn wait_for(&self, id: TransactionId) -> Said {
        let node = self.node();
        match node.client().tx_wait(Text(id), Some(WAIT_MS)).await {
            Ok(receipt) => Said { id, position: receipt.value.position.into() },
            Err(error) => panic!("{}: not final: {error}; its last words:\n{}", node.name, node.last_words()),
        }
    }

    /// Submits to a node.
    ///
    /// # Errors
    /// What the node answers if a rule refuses.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn try_submit(&self, node: &Node, transaction: &Signed) -> Result<(), ErrorView> {
        match node.client().tx_submit(Text(transaction.bytes().to_vec())).await {
            Ok(_) => Ok(()),
            Err(ClientError::Refused(error)) => Err(error),
            Err(error) => panic!("{} does not answer: {error}; its last words:\n{}", node.name, node.last_words()),
        }
    }

    /// Has a call refused; what the node says.
    ///
    /// # Panics
    /// If it is taken.
    pub async fn refused(&self, signer: &Actor, call: Call, others: &[&Actor]) -> ErrorView {
        self.refused_transaction(&self.signed(signer, call, others).await).await
    }

    /// Has a transaction refused; what the node says.
    ///
    /// # Panics
    /// If it is taken.
    pub async fn refused_transaction(&self, transaction: &Signed) -> ErrorView {
        let call = transaction.body().call.name();
        match self.try_submit(self.node(), transaction).await {
            Ok(()) => panic!("the {call} was to be refused"),
            Err(refused) => refused,
        }
    }

    /// A grant of `attest` to all devices of a zone of `owner`.
    pub async fn zone_grant(&self, owner: &Actor, path: &str) -> GrantId {
        let terms = actor::grant_attest(zone(owner.organization(), path));
        GrantId::of(&self.say(owner, terms, &[]).await.id)
    }

    /// Registers the device of `seed`.
    pub async fn register(&self, seed: u64, owner: &Actor, path: &str) -> Actor {
        let device = actor::device(seed);
        let call = actor::register(seed, owner.organization(), zone(owner.organization(), path));
        self.say(owner, call, &[&device]).await;
        device
    }

    /// Registers the device of `seed`, and opens its stream by this grant.
    pub async fn meter(&self, seed: u64, owner: &Actor, path: &str, grant: GrantId) -> Meter {
        let device = self.register(seed, owner, path).await;
        self.stream(seed, device, "readings", None, grant).await
    }

    /// Opens a stream of the registered device of `seed`.
    ///
    /// # Panics
    /// If the name is none, or the call is refused.
    pub async fn stream(
        &self,
        seed: u64,
        device: Actor,
        name: &str,
        cadence_s: Option<u32>,
        authority: GrantId,
    ) -> Meter {
        let opened = self.say(&device, calls::open_stream(name, cadence_s, authority), &[]).await;
        let stream = StreamId::of(&device.device(), &name.parse().expect("the test names a valid stream"));
        Meter { seed, device, writing: Writing { stream, authority, sequence: 0, previous: opened.id } }
    }

    /// Attests, having seen the newest block.
    ///
    /// # Panics
    /// If it is refused, or does not become final.
    pub async fn attest(&self, meter: &mut Meter, content: &[u8]) -> Said {
        let tip = self.node().tip().await;
        let attested = meter.writing.attest(self.chain(), &meter.device, tip, content);
        self.finalize(&attested).await
    }

    /// Has an attestation refused, having seen the newest block; what the node says. The device goes on as before.
    ///
    /// # Panics
    /// If it is taken.
    pub async fn attest_refused(&self, meter: &Meter, content: &[u8]) -> ErrorView {
        let tip = self.node().tip().await;
        let attested = meter.writing.clone().attest(self.chain(), &meter.device, tip, content);
        self.refused_transaction(&attested).await
    }

    /// The device as it stands.
    ///
    /// # Panics
    /// If it is not known.
    pub async fn device(&self, device: DeviceId) -> DeviceView {
        self.node().client().device_get(Text(device), None).await.expect("the device is registered").value
    }

    /// The position at which the next block begins, or an earlier one: everything said so far lies before it.
    pub async fn now(&self) -> Position {
        let tip = self.node().tip().await;
        Position::start_of(tip.height.next().expect("a test's heights are few"))
    }

    /// The bundle of an attestation at the newest checkpoint.
    ///
    /// # Panics
    /// If the node makes none.
    pub async fn bundle(&self, attestation: TransactionId) -> Vec<u8> {
        let answer = self.node().client().audit_bundle(attestation.into(), None, None).await;
        answer.expect("a final attestation has a bundle").value.bundle.0
    }

    /// Judges an attestation from a bundle that is made now, and from nothing else. The node must say the same of it.
    ///
    /// # Panics
    /// If it does not.
    pub async fn judge(&self, name: &str, said: Said, content: &[u8]) -> Verdict {
        let client = self.node().client();
        let answer = client.audit_bundle(said.id.into(), None, None).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: no bundle: {error}"));
        let verdict = self.judge_file(name, &answer.value.bundle.0, content);
        let expectations = Expectations::of(self.chain()).with_content(content);
        let evidence = expectations.content.map(ContentEvidenceView::from);
        let told = client.audit_verdict(said.id.into(), evidence, None, Some(answer.height)).await;
        let told = told.unwrap_or_else(|error| panic!("{name}: no verdict: {error}"));
        assert_eq!(
            told.value,
            VerdictView::from(&verdict),
            "{name}: the node says something else than its bundle shows"
        );
        verdict
    }

    /// Judges an attestation from the bytes of a bundle that was kept.
    pub fn judge_file(&self, name: &str, bundle: &[u8], content: &[u8]) -> Verdict {
        self.papers.borrow_mut().judge(name, bundle, content)
    }

    /// Judges an attestation, which must be VALID.
    ///
    /// # Panics
    /// If it is not.
    pub async fn valid(&self, name: &str, said: Said, content: &[u8]) -> Verdict {
        let verdict = self.judge(name, said, content).await;
        assert_eq!(verdict.outcome, Outcome::Valid, "{name}\n{verdict}");
        verdict
    }

    /// Judges an attestation, which must be INCOMPLETE for this one reason.
    ///
    /// # Panics
    /// If it is not.
    pub async fn doubtful(&self, name: &str, said: Said, content: &[u8], reason: &str) -> Verdict {
        let verdict = self.judge(name, said, content).await;
        let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.name()).collect();
        assert_eq!((verdict.outcome, reasons), (Outcome::Incomplete, vec![reason]), "{name}\n{verdict}");
        verdict
    }

    /// Asks a question about the state, and believes only what the lookup file shows.
    ///
    /// # Panics
    /// If the file does not show it.
    pub async fn look_up(&self, question: Question) -> Answer {
        let file = self.node().client().proof_lookup(Text(question.clone()), None).await;
        let file = file.unwrap_or_else(|error| panic!("{question}: {error}")).value.proof.0;
        self.read_lookup(&file, question)
    }

    /// What the bytes of a lookup file show about a question.
    ///
    /// # Panics
    /// If they do not show it.
    pub fn read_lookup(&self, file: &[u8], question: Question) -> Answer {
        self.papers.borrow_mut().read(file, question)
    }

    /// The set of validators that was decided last, with proof.
    ///
    /// # Panics
    /// If it does not.
    pub async fn validators(&self) -> ValidatorSet {
        match self.look_up(Question::Validators).await {
            Answer::Validators(sets) => sets.last().expect("there always are some").value.clone(),
            other => panic!("another question was answered: {other:?}"),
        }
    }

    /// All grants that were ever given over a scope, with proof.
    ///
    /// # Panics
    /// If that cannot be shown.
    pub async fn grants_over(&self, scope: Scope) -> Vec<GrantId> {
        match self.look_up(Question::Grants(scope)).await {
            Answer::Grants(grants) => grants.into_iter().map(|(id, _)| id).collect(),
            other => panic!("another question was answered: {other:?}"),
        }
    }

    /// Runs a command of the program that asks this network's node; its exit status, and what it says in JSON.
    ///
    /// # Panics
    /// If it does not run, or says something else.
    pub fn command(&self, arguments: &[&str]) -> (i32, Value) {
        let genesis = self.chain().to_string();
        let output = Command::new(program())
            .args(arguments)
            .args(["--rpc", &self.node().rpc, "--genesis", &genesis, "--json"])
            .output()
            .expect("the program runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        let status = output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {complaint}"));
        let said = serde_json::from_slice(&output.stdout);
        (status, said.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {complaint}")))
    }

    /// Registers the devices that make blocks.
    pub async fn clockwork(&self) -> Clockwork {
        let owner = self.auditor();
        let grant = self.zone_grant(owner, "clock").await;
        // Seeds that no scenario uses for its own devices.
        let meter = |seed| self.meter(seed, owner, "clock", grant);
        Clockwork([meter(900_001).await, meter(900_002).await, meter(900_003).await, meter(900_004).await])
    }

    /// Lets blocks be made, one after the other, until there is one of this height.
    pub async fn run_to(&self, clockwork: &mut Clockwork, height: u64) {
        let tip = self.node().tip().await;
        // Who has not seen a block cannot take what was made after it.
        self.network.wait_for_height(tip.height.get()).await;
        let run = async |node: &Node, meter: &mut Meter| {
            let mut reached = tip.height.get();
            while reached < height {
                let attested = meter.writing.attest(self.chain(), &meter.device, tip, &reached.to_le_bytes());
                reached = node.finalize(&attested).await;
            }
        };
        let (nodes, [a, b, c, d]) = (&self.network.nodes, &mut clockwork.0);
        tokio::join!(run(&nodes[0], a), run(&nodes[1], b), run(&nodes[2], c), run(&nodes[3], d));
        self.node().wait_for_height(height).await;
    }

    /// Has everything that was judged judged again by the second verifier; the two must agree.
    ///
    /// # Panics
    /// If they do not.
    pub fn close(self) {
        self.papers.into_inner().compare();
    }
}

/// A zone of an organization.
pub fn zone_of(organization: &Actor, path: &str) -> Zone {
    zone(organization.organization(), path)
}
