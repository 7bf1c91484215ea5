//! Answers with their proof: the caller knows the genesis hash and the question, and trusts nobody.

use cairn_proofs::lookup::{Answer, LookupExpectations, Question, verify_bytes};
use cairn_proofs::verdict::Outcome;
use cairn_rpc::RpcConfig;
use cairn_rpc::client::{AskError, Dated, Proven, ProvenError, Shown};
use cairn_rpc::limits::PROVEN_ITEMS_MAX;
use cairn_rpc::views::{ScopeView, StatusName, Text};
use cairn_types::lot::LotBasis;
use cairn_types::record::LotRecord;
use cairn_types::{ChainId, DeviceId, Hash, Height, Interval, LotId, Scope, state_key};
use insta::assert_json_snapshot as snapshot;

use crate::authority::served;
use crate::backend::{Node, Served};
use crate::later::Later;
use crate::ledger::Changes;
use crate::methods::refusal;
use crate::world::{at, put};

const AT: Option<Text<Height>> = Some(Text(Height::new(6)));

/// The answer is believed for its network and its question, and for no other.
fn check<T: Shown + Dated>(proven: &Proven<T>, genesis: ChainId, question: Question) {
    let verified = proven.verify(genesis, question.clone());
    assert!(verified.is_ok(), "{question}: {}", verified.err().map_or_else(String::new, |error| error.to_string()));
    let elsewhere = ChainId::from_hash(Hash::plain(b"another network"));
    assert!(matches!(proven.verify(elsewhere, question), Err(ProvenError::NotValid(_))));
    assert!(matches!(proven.verify(genesis, Question::Checkpoint), Err(ProvenError::NotValid(_))));
}

#[tokio::test]
async fn every_provable_answer_verifies_against_the_genesis_hash_alone() {
    let (served, later) = served().await;
    let client = &served.client;
    let world = &later.world;
    let genesis = world.ledger.chain;
    // Height 7 is the latest; 6 has an offer, a recovery, and a grant that still gives a right.
    for at in [None, AT] {
        let water = Question::Organization(world.water);
        check(&client.organization_get_proven("sf-water".parse().unwrap(), at).await.unwrap(), genesis, water.clone());
        check(&client.organization_list_proven(None, None, at).await.unwrap(), genesis, Question::Organizations);
        let epochs = client.organization_get_history_proven(world.water.into(), None, None, at).await.unwrap();
        check(&epochs, genesis, water);
        for device in [world.meter, world.revoked, later.third] {
            let file = Question::Device(device);
            check(&client.device_get_proven(Text(device), at).await.unwrap(), genesis, file.clone());
            check(&client.device_get_history_proven(Text(device), None, None, at).await.unwrap(), genesis, file);
            let streams = client.stream_list_proven(Some(Text(device)), None, None, at).await.unwrap();
            check(&streams, genesis, Question::DeviceStreams(device));
            let grants = client.grant_list_proven(None, None, None, at, Some(Text(device))).await.unwrap();
            check(&grants, genesis, Question::DeviceGrants(device));
        }
        for grant in [world.grant, world.revoked_grant, later.of_expelled] {
            check(&client.grant_get_proven(Text(grant), at).await.unwrap(), genesis, Question::Grant(grant));
        }
        let north = Scope::Zone(world.north.clone());
        let over = client.grant_list_proven(Some(ScopeView::from(north.clone())), None, None, at, None).await.unwrap();
        check(&over, genesis, Question::Grants(north));
        check(
            &client.stream_get_proven(Text(world.stream), at).await.unwrap(),
            genesis,
            Question::Stream(world.stream),
        );
        for lot in [later.lot, later.issued] {
            check(&client.lot_get_proven(Text(lot), at).await.unwrap(), genesis, Question::Lot(lot));
            check(&client.lot_get_claims_proven(Text(lot), None, None, at).await.unwrap(), genesis, Question::Lot(lot));
        }
        let lots = client.lot_list_proven(Some(world.meterworks.into()), None, None, at).await.unwrap();
        check(&lots, genesis, Question::Lots(world.meterworks));
        check(&client.chain_get_council_proven(at).await.unwrap(), genesis, Question::Council);
        check(&client.chain_get_parameters_proven(at).await.unwrap(), genesis, Question::Parameters);
        check(&client.chain_get_validators_proven(at).await.unwrap(), genesis, Question::Validators);
    }
}

#[tokio::test]
async fn a_node_that_tells_something_else_than_it_proves_is_noticed() {
    let (served, later) = served().await;
    let client = &served.client;
    let genesis = later.world.ledger.chain;
    let question = || Question::Device(later.third);
    let honest = client.device_get_proven(Text(later.third), None).await.unwrap();
    assert!(honest.verify(genesis, question()).is_ok());

    let mut lie = honest.clone();
    lie.answer.value.status = StatusName::Revoked;
    assert!(matches!(lie.verify(genesis, question()), Err(ProvenError::Differs)));
    let mut lie = honest.clone();
    lie.answer.value.endorsement.as_mut().expect("endorsed").serial = "FM-0008".to_owned();
    assert!(matches!(lie.verify(genesis, question()), Err(ProvenError::Differs)));
    let mut old = honest.clone();
    old.answer.height = Text(Height::new(9));
    assert!(matches!(old.verify(genesis, question()), Err(ProvenError::OtherHeight { .. })));
    let mut damaged = honest;
    let middle = damaged.proof.0.len() / 2;
    damaged.proof.0[middle] ^= 1;
    assert!(matches!(damaged.verify(genesis, question()), Err(ProvenError::NotValid(_))));

    // A list that leaves out what is inconvenient.
    let question = || Question::DeviceGrants(later.world.meter);
    let mut grants = client.grant_list_proven(None, None, None, AT, Some(Text(later.world.meter))).await.unwrap();
    assert!(grants.verify(genesis, question()).is_ok());
    assert!(grants.answer.items.pop().is_some());
    assert!(matches!(grants.verify(genesis, question()), Err(ProvenError::Differs)));
}

#[tokio::test]
async fn absence_and_the_checkpoint_are_proven_like_anything_else() {
    let (served, later) = served().await;
    let client = &served.client;
    let genesis = later.world.ledger.chain;
    let question = Question::Device(DeviceId::from_hash(Hash::plain(b"nobody")));
    let absent = client.proof_lookup(Text(question.clone()), None).await.unwrap().value;
    assert_eq!(usize::try_from(absent.bytes).unwrap(), absent.proof.0.len());
    let verdict = verify_bytes(&absent.proof.0, &LookupExpectations::of(genesis).with_question(question));
    assert_eq!((verdict.outcome, verdict.answer), (Outcome::Valid, Some(Answer::Device(None))));

    let newest = client.proof_get_checkpoint(None).await.unwrap();
    let expected = LookupExpectations::of(genesis).with_question(Question::Checkpoint);
    let verdict = verify_bytes(&newest.value.proof.0, &expected);
    assert_eq!(verdict.outcome, Outcome::Valid, "{:?}", verdict.reasons);
    assert_eq!(verdict.finality.expect("reached").checkpoint.height, newest.height.0);

    let superseded = Question::Superseded(later.world.stream);
    let file = client.proof_lookup(Text(superseded.clone()), None).await.unwrap().value.proof.0;
    let verdict = verify_bytes(&file, &LookupExpectations::of(genesis).with_question(superseded));
    assert!(matches!(verdict.answer, Some(Answer::Superseded(list)) if list.len() == 1));
}

#[tokio::test]
async fn a_caller_who_knows_the_genesis_hash_asks_and_believes_nobody() {
    let (served, later) = served().await;
    let client = &served.client;
    let genesis = later.world.ledger.chain;
    let newest = client.ask(genesis, Question::Checkpoint, None).await.unwrap();
    assert_eq!(newest.finality.expect("reached").checkpoint.height, Height::new(7));
    let lot = client.ask(genesis, Question::Lot(later.lot), AT).await.unwrap();
    assert!(matches!(lot.answer, Some(Answer::Lot(Some(file))) if file.claims.len() == 1));
    let elsewhere = ChainId::from_hash(Hash::plain(b"another network"));
    let refused = client.ask(elsewhere, Question::Checkpoint, None).await;
    assert!(matches!(refused, Err(AskError::Proof(ProvenError::NotValid(_)))));
    let early = client.ask(genesis, Question::Checkpoint, Some(Text(Height::new(8)))).await;
    assert!(matches!(early, Err(AskError::Client(error)) if error.name() == Some("HeightUnknown")));
}

#[tokio::test]
async fn a_list_too_long_to_be_shown_with_its_proof_is_still_proven() {
    let mut world = Later::new().world;
    let mut changes = Changes::new();
    for number in 0..=PROVEN_ITEMS_MAX {
        let id = LotId::from_hash(Hash::plain(&number.to_le_bytes()));
        let basis = LotBasis::Merkle { root: Hash::ZERO, count: 1 };
        let record = LotRecord { manufacturer: world.water, basis, label: String::new() };
        put(&mut changes, state_key::lot(&id), &Interval::open(record, at(8, 0)));
        changes.insert(state_key::manufacturer_lot(&world.water, &id), Some(Vec::new()));
    }
    world.ledger.append(Vec::new(), &changes);
    let (water, genesis) = (world.water, world.ledger.chain);
    let served = Served::with(RpcConfig::default(), Node::of(world)).await;
    let whole = served.client.lot_list_proven(Some(water.into()), None, None, None).await;
    snapshot!("lot_list_too_long_to_prove", refusal(whole.map(|_| ())));
    let shown = served.client.ask(genesis, Question::Lots(water), None).await.unwrap();
    assert!(matches!(shown.answer, Some(Answer::Lots(lots)) if lots.len() == PROVEN_ITEMS_MAX + 1));
}

#[tokio::test]
async fn what_is_proven_is_not_cut() {
    let (served, later) = served().await;
    let client = &served.client;
    let limited = client.organization_list_proven(None, Some(5), None).await;
    snapshot!("organization_list_prove_with_limit", refusal(limited.map(|_| ())));
    let after = client.lot_list_proven(None, Some(Text(later.lot)), None, None).await;
    assert_eq!(refusal(after.map(|_| ())).data.name, "InvalidParameter");
    let of_all = client.grant_list_proven(None, None, None, None, None).await;
    snapshot!("grant_list_prove_without_scope", refusal(of_all.map(|_| ())));
    let early = client.proof_get_checkpoint(Some(Text(Height::new(0)))).await;
    assert_eq!(refusal(early.map(|_| ())).data.name, "HeightPruned");
}
