//! The ledger that hostile inputs are about: small, and with something of every kind in it.
//!
//! It is made once by the real rules. Whoever has its secrets can sign anything in it, as a hostile member of the network
//! can; so inputs reach the rules behind the signatures.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cairn_consensus::{
    Message, PolkaCertificate, Proposal, RoundCertificate, RoundCertificateKind, RoundVote, SignedProposal, SignedVote,
    TimerKind, Validity, Vote, VoteKind, WalEntry, WalRecord,
};
use cairn_genesis::Genesis;
use cairn_proofs::accumulator::{InclusionProof, prove_in, root_of};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_proofs::lookup::Question;
use cairn_proofs::tree::StateTree;
use cairn_types::call::{EndorseLot, RegisterDevice};
use cairn_types::governance::{Measure, Upgrade};
use cairn_types::lot::{Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::{
    Action, AttestationRef, Block, BlockHash, Call, ContentHash, DeviceId, DeviceStatus, GrantId, Grantee, Hash,
    Height, LotId, OrganizationId, Position, PublicKey, Role, Round, Scope, SignedTransaction, StreamId, TransactionId,
    ValidatorIndex, ValidatorSet,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::actor::{self, Actor, Writing, device, grant_attest, in_epoch, key, public, register, revoke_grant, zone};
use crate::calls;
use crate::chain_builder::Chain;

/// What a device says in the scene.
pub const CONTENT: &[u8] = b"time,flow\n00:00,1.2\n00:15,1.3\n";

/// See the module.
pub struct Scene {
    /// The ledger.
    pub chain: Chain,
    /// Its genesis file.
    pub genesis: Genesis,
    /// All its transactions.
    pub transactions: Vec<SignedTransaction>,
    /// All its blocks.
    pub blocks: Vec<Block>,
    /// Its last block, certified.
    pub finality: CheckpointProof,
    /// Who decides.
    pub validators: Arc<ValidatorSet>,
    /// Something of each kind that validators say.
    pub messages: Vec<Message>,
    /// Something of each kind that a validator writes down.
    pub log: Vec<WalEntry>,
    /// Every question, about what is there and what is not.
    pub questions: Vec<Question>,
    /// Items of an accumulator.
    pub items: Vec<Hash>,
    /// Items, with count and root of a list that begins as [`Scene::items`] does, and the proof.
    pub inclusions: Vec<(Hash, u64, Hash, InclusionProof)>,
    /// States of the ledger, and maps that it never has: of no entry and of one.
    pub trees: Vec<StateTree>,
    /// Keys in these.
    pub keys: Vec<Vec<u8>>,
    /// Organizations, one of them unknown.
    pub organizations: Vec<OrganizationId>,
    /// Devices, one of them unknown.
    pub devices: Vec<DeviceId>,
    /// Grants.
    pub grants: Vec<GrantId>,
    /// Streams.
    pub streams: Vec<StreamId>,
    /// Lots.
    pub lots: Vec<LotId>,
    /// Places in a lot.
    pub endorsements: Vec<Endorsement>,
    /// The attestations.
    pub attestations: Vec<TransactionId>,
    /// Whoever can sign, by public key.
    pub secrets: BTreeMap<PublicKey, SigningKey>,
}

/// Heights and rounds that messages speak of begin here.
pub const MESSAGE_HEIGHT: u64 = 5;

/// Seeds of the scene's devices.
pub const DEVICES: [u64; 5] = [71, 72, 73, 74, 75];

impl Scene {
    /// The scene.
    pub fn get() -> &'static Self {
        static SCENE: OnceLock<Scene> = OnceLock::new();
        SCENE.get_or_init(|| Self::make(Chain::new(4_000)))
    }

    /// The same with one validator, whose files an auditor judges faster.
    pub fn lean() -> &'static Self {
        static SCENE: OnceLock<Scene> = OnceLock::new();
        SCENE.get_or_init(|| Self::make(Chain::of(4_001, 1)))
    }

    fn make(mut chain: Chain) -> Self {
        let [works, maker, audit] = [0, 1, 2].map(|number| chain.organization(number).clone());
        let council = [&maker, &audit];
        let in_works = |path| zone(works.organization(), path);

        // Lots, of which one is distrusted.
        let leaf = |number: u64, device| LotLeaf { device, serial: format!("SN-{number}"), salt: [number as u8; 32] };
        let leaves = [leaf(0, Some(device(DEVICES[1]).device())), leaf(1, None), leaf(2, None), leaf(3, None)];
        let items: Vec<Hash> = leaves.iter().map(LotLeaf::item).collect();
        let basis = LotBasis::Merkle { root: root_of(&items), count: 4 };
        let lot = LotId::of(&chain.submit(&maker, calls::endorse(basis, "meters, week 12"), &[]));
        let issuer = LotBasis::Issuer { key: public(&key(800)) };
        let call = Call::EndorseLot(EndorseLot { basis: issuer, label: String::new() });
        let issuer = LotId::of(&chain.submit(&maker, call, &[]));
        chain.submit(&maker, calls::distrust(issuer, None), &[]);
        let place = |index: usize| {
            let LotLeaf { device, serial, salt } = leaves[index].clone();
            let siblings = prove_in(&items, index as u64).expect("the leaf is there").siblings;
            let (bound, index) = (device.is_some(), u32::try_from(index).expect("few"));
            Endorsement::Lot(LotEndorsement { lot, bound, serial, salt, index, siblings })
        };

        // Devices: plain, of a lot, sold, in recovery, revoked.
        for (seed, path) in DEVICES.into_iter().zip(["north/pump", "north", "", "south", "south/a/b"]) {
            let endorsement = (seed == DEVICES[1]).then(|| place(0));
            let call = match register(seed, works.organization(), in_works(path)) {
                Call::RegisterDevice(call) => Call::RegisterDevice(RegisterDevice { endorsement, ..call }),
                other => other,
            };
            chain.submit(&works, call, &[&device(seed)]);
        }
        let [first, second, sold, recovering, revoked] = DEVICES.map(device);
        let mut grants = vec![GrantId::of(&chain.submit(&works, grant_attest(in_works("north")), &[]))];
        let terms = calls::delegation(maker.organization(), in_works(""), 2, None);
        grants.push(GrantId::of(&chain.submit(&works, Call::Grant(terms), &[])));
        let terms = calls::delegation(audit.organization(), in_works("south"), 1, Some(grants[1]));
        grants.push(GrantId::of(&chain.submit(&maker, Call::Grant(terms), &[])));
        let to_device = Grantee::Device(recovering.device());
        let terms = calls::grant(to_device, &[Action::Attest], Scope::Device(recovering.device()));
        grants.push(GrantId::of(&chain.submit(&works, Call::Grant(terms), &[])));
        grants.push(GrantId::of(&chain.submit(&works, grant_attest(in_works("south")), &[])));
        chain.submit(&works, revoke_grant(grants[4]), &[]);

        // Streams: one with attestations of which one is superseded, one closed, one forked.
        let mut attestations = Vec::new();
        let mut streams = Vec::new();
        for (writer, count) in [(&first, 5), (&second, 1)] {
            let (opened, mut writing) = Writing::open(chain.id(), writer, chain.tip(), "flow", grants[0]);
            chain.block(vec![opened]);
            streams.push(writing.stream);
            for number in 0..count {
                let said = writing.attest(chain.id(), writer, chain.tip(), CONTENT);
                let other = writing.clone();
                attestations.push(said.id());
                if writer.principal == second.principal && number == 0 {
                    let mut other = Writing { sequence: 0, previous: other.previous, ..other };
                    other.previous = chain.transactions().last().expect("the opening").id();
                    let forked = other.attest(chain.id(), writer, chain.tip(), b"something else");
                    chain.block(vec![said.clone()]);
                    chain.submit(&audit, calls::report_fork(&said, &forked), &[]);
                } else {
                    chain.block(vec![said]);
                }
            }
        }
        let target = AttestationRef { stream: streams[0], sequence: 2 };
        chain.submit(&first, calls::supersede(target, Some(AttestationRef { sequence: 3, ..target })), &[]);
        let (opened, writing) = Writing::open(chain.id(), &first, chain.tip(), "old", grants[0]);
        chain.block(vec![opened]);
        streams.push(writing.stream);
        let close = cairn_types::call::CloseStream { stream: writing.stream };
        chain.submit(&first, Call::CloseStream(close), &[]);

        // What may befall a device.
        chain.submit(&in_epoch(DEVICES[0], 1), calls::rotate(DEVICES[0], 1), &[]);
        let first = in_epoch(DEVICES[0], 1);
        chain.submit(&works, calls::offer(sold.device(), maker.organization()), &[]);
        chain.submit(&maker, calls::accept(sold.device(), zone(maker.organization(), "stock")), &[]);
        chain.submit(&works, calls::offer(recovering.device(), audit.organization()), &[]);
        chain.submit(&works, actor::set_status(second.device(), DeviceStatus::Suspended), &[]);
        chain.submit(&works, actor::set_status(second.device(), DeviceStatus::Active), &[]);
        let since = Some(Position { height: Height::new(8), index: 0 });
        chain.submit(&works, calls::revoke_device(revoked.device(), since), &[]);

        // What a council decides.
        let newcomer = calls::organization("newcomer", &key(900), &key(901));
        chain.submit(&works, calls::admit(newcomer, &[Role::Operator]), &council);
        let mut parameters = chain.founding().parameters.clone();
        parameters.organization_quota = 1_000_000;
        chain.submit(&works, calls::govern(Measure::SetParameters(parameters)), &council);
        let upgrade = Upgrade { version: 2, height: Height::new(1_000_000) };
        chain.submit(&works, calls::govern(Measure::ScheduleUpgrade(Some(upgrade))), &council);
        let announced = calls::recover(recovering.device(), &key(910), &key(911), None);
        let new = Actor { principal: recovering.principal, key: key(910) };
        chain.submit(&works, announced, &[&new]);

        let unknown = Hash::plain(b"unknown");
        let organizations: Vec<OrganizationId> = [&works, &maker, &audit]
            .map(Actor::organization)
            .into_iter()
            .chain([OrganizationId::from_hash(unknown)])
            .collect();
        let devices: Vec<DeviceId> =
            DEVICES.map(|seed| device(seed).device()).into_iter().chain([DeviceId::from_hash(unknown)]).collect();
        streams.push(StreamId::from_hash(unknown));
        let mut actors = vec![works, maker, audit, first];
        actors.extend(DEVICES.map(device));
        let mut secrets: BTreeMap<PublicKey, SigningKey> =
            actors.into_iter().map(|actor| (public(&actor.key), actor.key)).collect();
        for seed in
            (900..920).chain(DEVICES.iter().flat_map(|seed| [seed + 1_000_000, seed + 2_000_000])).chain(300..330)
        {
            secrets.insert(public(&key(seed)), key(seed));
        }
        let finality = chain.finality(chain.len() - 1);
        let validators = Arc::new(finality.validators.clone());
        let items: Vec<Hash> = (0..70_u64).map(|number| Hash::plain(&number.to_le_bytes())).collect();
        let inclusion = |(count, index): (usize, u64)| {
            let list = &items[..count];
            let proof = prove_in(list, index).expect("the item is there");
            (items[index as usize], count as u64, root_of(list), proof)
        };
        let places = [1, 2, 3, 4, 7, 8, 9, 31, 33, 64, 70].into_iter();
        let places =
            places.flat_map(|count: usize| (0..count).step_by(1 + count / 5).map(move |at| (count, at as u64)));
        let inclusions = places.map(inclusion).collect();
        let middle = chain.state(chain.len() / 2).clone();
        let small = |count: u8| {
            let entries = (0..count).map(|number| (vec![1, number, 0xff - number], vec![number; usize::from(number)]));
            StateTree::from_sorted(entries).expect("they ascend")
        };
        let trees = vec![chain.state(chain.len() - 1).clone(), middle, small(0), small(1), small(9)];
        let keys = trees.iter().flat_map(|tree| tree.prefix(&[]).map(|(key, _)| key)).collect();
        let questions = questions(&organizations, &devices, &grants, &streams, lot);
        let (messages, log) = sayings(&chain);
        Self {
            genesis: chain.founding().clone(),
            transactions: chain.transactions().cloned().collect(),
            blocks: (0..chain.len()).map(|height| chain.encodable(height)).collect(),
            endorsements: (0..4).map(place).collect(),
            lots: vec![lot, issuer, LotId::from_hash(unknown)],
            finality,
            validators,
            messages,
            log,
            questions,
            items,
            inclusions,
            trees,
            keys,
            organizations,
            devices,
            grants,
            streams,
            attestations,
            secrets,
            chain,
        }
    }

    /// What every device said.
    pub fn content() -> ContentHash {
        ContentHash::plain(CONTENT)
    }
}

fn questions(
    organizations: &[OrganizationId],
    devices: &[DeviceId],
    grants: &[GrantId],
    streams: &[StreamId],
    lot: LotId,
) -> Vec<Question> {
    let works = organizations[0];
    let mut questions = vec![
        Question::Checkpoint,
        Question::Organizations,
        Question::Council,
        Question::Validators,
        Question::Parameters,
        Question::Grants(Scope::Zone(zone(works, "north"))),
        Question::Grants(Scope::Zone(zone(works, ""))),
        Question::Grants(Scope::Stream(streams[0])),
        Question::Lot(lot),
        Question::Lots(organizations[1]),
        Question::Lot(LotId::from_hash(Hash::plain(b"no lot"))),
    ];
    questions.extend(organizations.iter().map(|id| Question::Organization(*id)));
    for id in devices {
        questions.extend([Question::Device(*id), Question::DeviceStreams(*id), Question::DeviceGrants(*id)]);
        questions.push(Question::Grants(Scope::Device(*id)));
    }
    questions.extend(grants.iter().map(|id| Question::Grant(*id)));
    questions.extend(streams.iter().flat_map(|id| [Question::Stream(*id), Question::Superseded(*id)]));
    questions
}

/// What validators say, rightly signed, and what one of them notes.
fn sayings(chain: &Chain) -> (Vec<Message>, Vec<WalEntry>) {
    let (height, block) = (Height::new(MESSAGE_HEIGHT), BlockHash::from_hash(Hash::plain(b"block")));
    let vote = |kind, round, block, validator: ValidatorIndex| {
        signed_vote(chain, Vote { height, round: Round::new(round), kind, block, validator })
    };
    let prevotes: Vec<SignedVote> = (0..3).map(|by| vote(VoteKind::Prevote, 0, Some(block), by)).collect();
    let precommits: Vec<SignedVote> = (0..3).map(|by| vote(VoteKind::Precommit, 1, None, by)).collect();
    let proposer = chain.genesis().validators.proposer(height, Round::new(1));
    let proposal = Proposal { height, round: Round::new(1), pol_round: Some(Round::new(0)), block, proposer };
    let proposal = signed_proposal(chain, proposal);
    let polka = PolkaCertificate {
        height,
        round: Round::new(0),
        block,
        signatures: prevotes.iter().map(|signed| (signed.vote.validator, signed.signature)).collect(),
    };
    let votes = precommits.iter().map(|signed| RoundVote {
        validator: signed.vote.validator,
        kind: signed.vote.kind,
        block: signed.vote.block,
        signature: signed.signature,
    });
    let kind = RoundCertificateKind::Precommit;
    let round = RoundCertificate { height, round: Round::new(1), kind, votes: votes.collect() };
    let messages = vec![
        Message::Proposal(proposal),
        Message::Vote(prevotes[0]),
        Message::Vote(prevotes[2]),
        Message::Repeat(precommits[1]),
        Message::Polka(polka.clone()),
        Message::Round(round),
    ];
    let records = [
        WalRecord::Vote(prevotes[1]),
        WalRecord::Proposal(proposal),
        WalRecord::Polka(polka),
        WalRecord::Executed { round: Round::new(0), pol_round: None, proposer: 1, block, validity: Validity::Valid },
        WalRecord::TimerFired { round: Round::new(0), kind: TimerKind::Propose },
    ];
    (messages, records.into_iter().map(|record| WalEntry { height, record }).collect())
}

/// A vote with the signature of the validator that it names, if there is such a one.
pub fn signed_vote(chain: &Chain, vote: Vote) -> SignedVote {
    let secret = chain.validators().get(usize::from(vote.validator));
    let sign = |secret: &SigningKey| secret.sign(&vote.sign_bytes(&chain.id())).to_bytes();
    SignedVote { vote, signature: secret.map_or([0; 64], sign) }
}

/// A proposal with the signature of the validator that it names, if there is such a one.
pub fn signed_proposal(chain: &Chain, proposal: Proposal) -> SignedProposal {
    let secret = chain.validators().get(usize::from(proposal.proposer));
    let sign = |secret: &SigningKey| secret.sign(&proposal.sign_bytes(&chain.id())).to_bytes();
    SignedProposal { proposal, signature: secret.map_or([0; 64], sign) }
}
