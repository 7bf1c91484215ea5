//! Lookups over a real chain, and files that are not quite what a node made: both verifiers judge them.

use cairn_proofs::accumulator::root_of;
use cairn_proofs::lookup::{Lookup, LookupExpectations, LookupVerdict, Question, verify_bytes};
use cairn_proofs::verdict::Freshness;
use cairn_rpc::views::FinalityView;
use cairn_tests::actor::{
    Actor, Writing, device, grant_attest, inception, key, place, register, revoke_grant, set_status, zone,
};
use cairn_tests::chain_builder::Chain;
use cairn_types::call::{DistrustLot, EndorseLot, Grant, RegisterDevice, RotateDeviceKey, Supersede};
use cairn_types::lot::{Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::{
    Action, AttestationRef, BlockRef, Call, ChainId, DeviceId, DeviceStatus, GrantId, Grantee, Hash, LotId, PublicKey,
    Scope, StreamId, Window, Zone,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::python::Asked;

/// A question to a verifier: a lookup, and what the auditor brings along.
#[derive(Clone)]
pub(crate) struct LookupCase {
    pub(crate) name: String,
    pub(crate) lookup: Vec<u8>,
    pub(crate) genesis: ChainId,
    pub(crate) question: Option<Question>,
    pub(crate) trusted: Option<BlockRef>,
    pub(crate) freshness: Option<Freshness>,
}

impl LookupCase {
    /// What `cairn-proofs` says.
    pub(crate) fn verdict(&self) -> LookupVerdict {
        let expectations = LookupExpectations {
            genesis: self.genesis,
            question: self.question.clone(),
            trusted: self.trusted,
            freshness: self.freshness,
        };
        verify_bytes(&self.lookup, &expectations)
    }
}

impl Asked for LookupCase {
    fn name(&self) -> &str {
        &self.name
    }

    fn question(&self) -> Value {
        json!({
            "lookup": hex::encode(&self.lookup),
            "genesis": self.genesis.to_string(),
            "question": self.question.as_ref().map(ToString::to_string),
            "checkpoint": self.trusted.map(|block| format!("{}:{}", block.height, block.hash)),
            "now_ms": self.freshness.map(|freshness| freshness.now_ms),
            "max_age_ms": self.freshness.map(|freshness| freshness.age_max_ms),
        })
    }

    fn verdict_json(&self) -> Value {
        let verdict = self.verdict();
        let reasons: Vec<Value> = verdict
            .reasons
            .iter()
            .map(|reason| {
                let (name, outcome, message) = (reason.name(), reason.outcome().name(), reason.to_string());
                json!({ "name": name, "outcome": outcome, "message": message })
            })
            .collect();
        let entry = |(key, value): &(Vec<u8>, Vec<u8>)| json!({ "key": hex::encode(key), "value": hex::encode(value) });
        let entries: Vec<Vec<Value>> =
            verdict.entries.iter().map(|answer| answer.iter().map(entry).collect()).collect();
        json!({
            "outcome": verdict.outcome.name(),
            "reasons": reasons,
            "chain": verdict.chain.to_string(),
            "finality": verdict.finality.as_ref().map(FinalityView::from),
            "question": verdict.question.as_ref().map(question_json),
            "entries": entries,
        })
    }
}

/// A question as section 19.3 of the specification shows it.
fn question_json(question: &Question) -> Value {
    let kind = question.kind();
    match question {
        Question::Checkpoint
        | Question::Organizations
        | Question::Council
        | Question::Validators
        | Question::Parameters => json!({ "kind": kind }),
        Question::Organization(id) | Question::Lots(id) => json!({ "kind": kind, "organization": id.to_string() }),
        Question::Device(id) | Question::DeviceStreams(id) | Question::DeviceGrants(id) => {
            json!({ "kind": kind, "device": id.to_string() })
        }
        Question::Grant(id) => json!({ "kind": kind, "grant": id.to_string() }),
        Question::Stream(id) | Question::Superseded(id) => json!({ "kind": kind, "stream": id.to_string() }),
        Question::Lot(id) => json!({ "kind": kind, "lot": id.to_string() }),
        Question::Grants(scope) => {
            let scope = match scope {
                Scope::Zone(Zone { organization, path }) => {
                    json!({ "zone": { "organization": organization.to_string(), "path": path.to_string() } })
                }
                Scope::Device(id) => json!({ "device": id.to_string() }),
                Scope::Stream(id) => json!({ "stream": id.to_string() }),
            };
            json!({ "kind": kind, "scope": scope })
        }
    }
}

/// A fleet of three devices with several grants over each, and the questions about it.
fn fleet() -> (Chain, Vec<Question>) {
    let mut chain = Chain::new(40);
    let works = chain.organization(0).clone();
    let contractor = chain.organization(1).clone();
    let devices: Vec<Actor> = (400..403).map(device).collect();
    let at = |path: &str| zone(works.organization(), path);
    for (seed, meter) in (400..).zip(&devices) {
        chain.submit(&works, register(seed, works.organization(), at("north")), &[meter]);
    }
    let give = |grantee: Grantee, scope: Scope, actions: &[Action], parent: Option<GrantId>| {
        let actions = actions.iter().copied().collect();
        let depth = if parent.is_none() { 1 } else { 0 };
        Call::Grant(Grant { grantee, actions, scope, window: Window::ALWAYS, depth, parent })
    };
    let [meter, other, _] = devices.as_slice() else { panic!("three devices") };
    let over_north = GrantId::of(&chain.submit(&works, grant_attest(at("north")), &[]));
    let passed_on = [Action::Attest, Action::Read, Action::Delegate];
    let to_contractor = give(Grantee::Organization(contractor.organization()), Scope::Zone(at("")), &passed_on, None);
    let to_contractor = GrantId::of(&chain.submit(&works, to_contractor, &[]));
    let over_meter =
        give(Grantee::Device(other.device()), Scope::Device(meter.device()), &[Action::Read], Some(to_contractor));
    let over_meter = GrantId::of(&chain.submit(&contractor, over_meter, &[]));
    let (opened, mut stream) = Writing::open(chain.id(), meter, chain.tip(), "flow", over_north);
    chain.block(vec![opened]);
    let day = stream.attest(chain.id(), meter, chain.tip(), b"a day");
    chain.block(vec![day]);
    let read = [Action::Read, Action::Delegate];
    chain.submit(&works, give(Grantee::Device(other.device()), Scope::Stream(stream.stream), &read, None), &[]);
    chain.submit(&works, revoke_grant(over_meter), &[]);
    chain.submit(&works, place(meter.device(), at("north/pump/bay-7")), &[]);
    let target = AttestationRef { stream: stream.stream, sequence: 0 };
    chain.submit(meter, Call::Supersede(Supersede { target, replacement: None }), &[]);
    let next = Actor { key: key(1_000_400), ..meter.clone() };
    let rotation = RotateDeviceKey {
        device: meter.device(),
        key: PublicKey::Ed25519(next.key.verifying_key().to_bytes()),
        next: inception(401).next,
    };
    chain.submit(&next, Call::RotateDeviceKey(rotation), &[]);
    chain.submit(&works, set_status(other.device(), DeviceStatus::Suspended), &[]);
    let lots = lots(&mut chain, &contractor, &works);
    chain.idle(3);

    let nobody = Hash::plain(b"nobody");
    let mut questions = vec![
        Question::Checkpoint,
        Question::Organization(works.organization()),
        Question::Device(DeviceId::from_hash(nobody)),
        Question::Grant(over_north),
        Question::Grant(over_meter),
        Question::Grant(GrantId::from_hash(nobody)),
        Question::Grants(Scope::Zone(at("north"))),
        Question::Grants(Scope::Stream(stream.stream)),
        Question::DeviceGrants(DeviceId::from_hash(nobody)),
        Question::Stream(stream.stream),
        Question::Stream(StreamId::from_hash(nobody)),
        Question::Lot(LotId::from_hash(nobody)),
        Question::Lots(works.organization()),
        Question::Lots(contractor.organization()),
        Question::Organizations,
        Question::Council,
        Question::Validators,
        Question::Parameters,
        Question::Superseded(stream.stream),
    ];
    questions.extend(lots.into_iter().map(Question::Lot));
    for device in devices.iter().map(Actor::device) {
        questions.extend([Question::Device(device), Question::DeviceStreams(device), Question::DeviceGrants(device)]);
    }
    (chain, questions)
}

/// A lot of one device, which is claimed and then distrusted, and one that stands for certificates.
fn lots(chain: &mut Chain, maker: &Actor, owner: &Actor) -> [LotId; 2] {
    const CLAIMED: u64 = 403;
    let leaf = LotLeaf { device: None, serial: "SN-0001".to_owned(), salt: [7; 32] };
    let mut endorse = |basis| {
        let call = Call::EndorseLot(EndorseLot { basis, label: "flow meters".to_owned() });
        LotId::of(&chain.submit(maker, call, &[]))
    };
    let merkle = endorse(LotBasis::Merkle { root: root_of(&[leaf.item()]), count: 1 });
    let issuer = endorse(LotBasis::Issuer { key: inception(404).key });
    let Call::RegisterDevice(plain) = register(CLAIMED, owner.organization(), zone(owner.organization(), "stock"))
    else {
        panic!("a registration")
    };
    let LotLeaf { serial, salt, .. } = leaf;
    let endorsement = LotEndorsement { lot: merkle, bound: false, serial, salt, index: 0, siblings: vec![] };
    let endorsement = Some(Endorsement::Lot(endorsement));
    chain.submit(owner, Call::RegisterDevice(RegisterDevice { endorsement, ..plain }), &[&device(CLAIMED)]);
    chain.submit(maker, Call::DistrustLot(DistrustLot { lot: merkle, suspect_since: None }), &[]);
    [merkle, issuer]
}

fn case(chain: &Chain, name: String, lookup: &Lookup, question: Option<Question>) -> LookupCase {
    LookupCase { name, lookup: lookup.encode(), genesis: chain.id(), question, trusted: None, freshness: None }
}

/// Each question, answered as a node does.
pub(crate) fn honest() -> Vec<LookupCase> {
    let (chain, questions) = fleet();
    let mut cases = Vec::new();
    for question in questions {
        let lookup = chain.lookup(question.clone());
        let honest = case(&chain, question.to_string(), &lookup, Some(question));
        cases.push(LookupCase { name: format!("{}, not asked", honest.name), question: None, ..honest.clone() });
        cases.push(honest);
    }
    cases
}

/// What a prover might do: another question, other proofs, other blocks; and what an auditor might bring along.
pub(crate) fn patchwork(seed: u64) -> Vec<LookupCase> {
    let (chain, questions) = fleet();
    let mut random = StdRng::seed_from_u64(seed);
    let mut any = |bound: usize| random.random_range(0..bound);
    let lookups: Vec<Lookup> = questions.iter().map(|question| chain.lookup(question.clone())).collect();
    let mut cases = Vec::new();
    for (question, lookup) in questions.iter().zip(&lookups) {
        let mut patch = |what: &str, lookup: Lookup, asked: Option<Question>| {
            cases.push(case(&chain, format!("{question}: {what}"), &lookup, asked));
        };
        let other = &questions[any(questions.len())];
        patch("another is asked", lookup.clone(), Some(other.clone()));
        patch("another is written", Lookup { question: other.clone(), ..lookup.clone() }, None);
        for _ in 0..6 {
            let mut proofs = lookup.proofs.clone();
            let foreign = lookups[any(lookups.len())].proofs.first().cloned();
            match (any(4), foreign) {
                (0, _) if !proofs.is_empty() => drop(proofs.remove(any(proofs.len()))),
                (1, _) if proofs.len() > 1 => proofs.swap(any(lookup.proofs.len()), any(lookup.proofs.len())),
                (2, Some(foreign)) if !proofs.is_empty() => proofs[any(lookup.proofs.len())] = foreign,
                (_, Some(foreign)) => proofs.insert(any(lookup.proofs.len() + 1), foreign),
                (_, None) => continue,
            }
            patch("other proofs", Lookup { proofs, ..lookup.clone() }, any_of(any(2) == 0, question));
        }
    }
    let lookup = &lookups[1];
    let plain = case(&chain, "with a trusted block".to_owned(), lookup, None);
    for height in [0, 3, usize::try_from(chain.tip().height.get()).expect("few blocks")] {
        cases.push(LookupCase { trusted: Some(chain.at(height)), ..plain.clone() });
        let conflict = BlockRef { hash: chain.at(1).hash, ..chain.at(height) };
        cases.push(LookupCase { trusted: Some(conflict), ..plain.clone() });
    }
    for (now_ms, age_max_ms) in [(0, 5), (10, 10), (11, 10)] {
        let freshness = Some(Freshness { now_ms: chain.time_ms() + now_ms, age_max_ms });
        cases.push(LookupCase { freshness, ..plain.clone() });
        let freshness = Some(Freshness { now_ms: chain.time_ms() - now_ms, age_max_ms });
        cases.push(LookupCase { freshness, ..plain.clone() });
    }
    cases
}

fn any_of(asked: bool, question: &Question) -> Option<Question> {
    asked.then(|| question.clone())
}

/// One bit of each question's file changed, several times over; half of them with the question that was asked.
pub(crate) fn flipped(seed: u64, times: usize) -> Vec<LookupCase> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cases = Vec::new();
    for honest in honest() {
        for _ in 0..times {
            let bit = random.random_range(0..honest.lookup.len() * 8);
            let mut lookup = honest.lookup.clone();
            lookup[bit / 8] ^= 1 << (bit % 8);
            cases.push(LookupCase { name: format!("{}, bit {bit} flipped", honest.name), lookup, ..honest.clone() });
        }
    }
    cases
}
