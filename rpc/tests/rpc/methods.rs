//! Each method once as it should be and once as it should not, against its snapshots.

use cairn_rpc::ClientError;
use cairn_rpc::views::{
    ActionName, AttestationSelector, ContentEvidenceView, ContentFormName, OrganizationSelector, PrincipalView,
    ScopeView, Text, TraceFormat,
};
use cairn_types::{ContentHash, DeviceId, GrantId, Hash, Height, StreamId, TransactionId, state_key};
use insta::assert_json_snapshot as snapshot;

use crate::backend::Served;
use crate::world::MONDAY;

/// What the node refused with.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> cairn_rpc::error::ErrorView {
    match result {
        Err(ClientError::Refused(error)) => error,
        other => panic!("the node should refuse, but: {other:?}"),
    }
}

fn nobody() -> Hash {
    Hash::plain(b"nobody")
}

/// A height that is not final.
const LATER: Option<Text<Height>> = Some(Text(Height::new(5)));
/// A height whose state is no longer kept.
const LONG_AGO: Option<Text<Height>> = Some(Text(Height::new(0)));

fn height(height: u64) -> Option<Text<Height>> {
    Some(Text(Height::new(height)))
}

#[tokio::test]
async fn chain() {
    let served = Served::new().await;
    let client = &served.client;
    snapshot!("chain_getStatus", client.chain_get_status().await.unwrap());
    snapshot!("chain_getBlock", client.chain_get_block(height(2)).await.unwrap());
    snapshot!("chain_getBlock_of_genesis", client.chain_get_block(height(0)).await.unwrap());
    snapshot!("chain_getBlock_too_early", refusal(client.chain_get_block(LATER).await));
    snapshot!("chain_getHeader", client.chain_get_header(None).await.unwrap());
    snapshot!("chain_getHeader_too_early", refusal(client.chain_get_header(LATER).await));
    snapshot!("chain_getCertificate", client.chain_get_certificate(height(1)).await.unwrap());
    snapshot!("chain_getCertificate_of_genesis", refusal(client.chain_get_certificate(height(0)).await));
    snapshot!("chain_getValidators", client.chain_get_validators(None).await.unwrap());
    snapshot!("chain_getValidators_pruned", refusal(client.chain_get_validators(LONG_AGO).await));
    snapshot!("chain_getGenesis", client.chain_get_genesis().await.unwrap());
}

#[tokio::test]
async fn tx() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let fresh = world.fresh();
    let duplicate = world.opened.bytes().to_vec();
    snapshot!("tx_submit", client.tx_submit(Text(fresh.bytes().to_vec())).await.unwrap());
    snapshot!("tx_submit_duplicate", refusal(client.tx_submit(Text(duplicate.clone())).await));
    let three = vec![Text(fresh.bytes().to_vec()), Text(vec![1, 2, 3]), Text(duplicate)];
    snapshot!("tx_submitMany", client.tx_submit_many(three).await.unwrap());
    snapshot!("tx_submitMany_too_many", refusal(client.tx_submit_many(vec![Text(vec![]); 4_097]).await));
    snapshot!("tx_get_pending", client.tx_get(Text(fresh.id()), None).await.unwrap());
    snapshot!("tx_get_final", client.tx_get(Text(world.opened.id()), None).await.unwrap());
    let unknown = Text(TransactionId::from_hash(nobody()));
    snapshot!("tx_get_unknown", refusal(client.tx_get(unknown, None).await));
    snapshot!("tx_wait", client.tx_wait(Text(world.attestations[2].id()), None).await.unwrap());
    snapshot!("tx_wait_not_final", refusal(client.tx_wait(Text(fresh.id()), Some(20)).await));
    snapshot!("tx_wait_too_long", refusal(client.tx_wait(unknown, Some(60_001)).await));
}

/// Every kind of call has a form of its own.
#[tokio::test]
async fn calls() {
    let served = Served::new().await;
    let mut calls = Vec::new();
    for block in 1..=3 {
        let block = served.client.chain_get_block(height(block)).await.unwrap();
        for line in block.value.transactions {
            calls.push(served.client.tx_get(line.id, None).await.unwrap().value.transaction.call);
        }
    }
    snapshot!("calls", calls);
}

#[tokio::test]
async fn organization() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let by_id = client.organization_get(world.water.into(), None).await.unwrap();
    let by_name = client.organization_get("sf-water".parse().unwrap(), None).await.unwrap();
    assert_eq!(by_id, by_name);
    snapshot!("organization_get", by_id);
    let unknown = Text(OrganizationSelector::Id(nobody().to_string().parse().unwrap()));
    snapshot!("organization_get_unknown", refusal(client.organization_get(unknown, None).await));
    snapshot!("organization_get_no_such_name", refusal(client.organization_get("acme".parse().unwrap(), None).await));
    let page = client.organization_list(None, Some(1), None).await.unwrap();
    snapshot!("organization_list", page);
    let after = page.next.map(|name| name.parse().unwrap());
    snapshot!("organization_list_next", client.organization_list(after, Some(1), None).await.unwrap());
    snapshot!("organization_list_no_limit", refusal(client.organization_list(None, Some(0), None).await));
}

#[tokio::test]
async fn device() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    snapshot!("device_get", client.device_get(Text(world.meter), None).await.unwrap());
    snapshot!("device_get_revoked", client.device_get(Text(world.revoked), None).await.unwrap());
    snapshot!("device_get_before_it_was_revoked", client.device_get(Text(world.revoked), height(2)).await.unwrap());
    let unknown = Text(DeviceId::from_hash(nobody()));
    snapshot!("device_get_unknown", refusal(client.device_get(unknown, None).await));
    snapshot!("device_get_pruned", refusal(client.device_get(Text(world.meter), LONG_AGO).await));
    snapshot!("device_list_limit", refusal(client.device_list(None, None, Some(1_001), None).await));
    snapshot!("device_getHistory", client.device_get_history(Text(world.revoked), None, None, None).await.unwrap());
    snapshot!("device_getHistory_unknown", refusal(client.device_get_history(unknown, None, None, None).await));
}

#[tokio::test]
async fn lists_of_devices_and_facts_page_without_loss() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let mut devices = Vec::new();
    let mut after = None;
    loop {
        let page = client.device_list(None, after, Some(1), height(4)).await.unwrap();
        devices.extend(page.items.into_iter().map(|device| device.id.0));
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    let mut expected = vec![world.meter, world.revoked];
    expected.sort();
    assert_eq!(devices, expected);

    let all = client.device_list(None, None, None, None).await.unwrap();
    assert_eq!((all.items.len(), all.next), (2, None));
    let north = client.device_list(Some(world.north.clone().into()), None, None, None).await.unwrap();
    assert_eq!(north.items.iter().map(|device| device.id.0).collect::<Vec<_>>(), [world.meter]);

    let whole = client.device_get_history(Text(world.revoked), None, None, None).await.unwrap();
    let mut facts = Vec::new();
    let mut after = None;
    loop {
        let page = client.device_get_history(Text(world.revoked), after, Some(2), None).await.unwrap();
        facts.extend(page.items);
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(facts, whole.items);
}

#[tokio::test]
async fn grant() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    snapshot!("grant_get", client.grant_get(Text(world.grant), None).await.unwrap());
    snapshot!("grant_get_revoked", client.grant_get(Text(world.revoked_grant), None).await.unwrap());
    let unknown = Text(GrantId::from_hash(nobody()));
    snapshot!("grant_get_unknown", refusal(client.grant_get(unknown, None).await));
    assert_eq!(client.grant_list(None, None, None, None, None).await.unwrap().items.len(), 2);
    let scope = ScopeView::Zone(world.north.clone().into());
    snapshot!("grant_list", client.grant_list(Some(scope), None, None, None, None).await.unwrap());
    snapshot!("grant_list_too_early", refusal(client.grant_list(None, None, None, LATER, None).await));
}

#[tokio::test]
async fn grant_check() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let check = async |principal, action, target, at| client.grant_check(principal, action, target, None, at).await;
    let meter = PrincipalView::Device(Text(world.meter));
    let revoked = PrincipalView::Device(Text(world.revoked));
    let water = PrincipalView::Organization(Text(world.water));
    let meterworks = PrincipalView::Organization(Text(world.meterworks));
    let stream = ScopeView::Stream(Text(world.stream));
    let of_meter = ScopeView::Device(Text(world.meter));
    let of_revoked = ScopeView::Device(Text(world.revoked));

    snapshot!("grant_check", check(meter, ActionName::Attest, stream.clone(), None).await.unwrap());
    let by_owner = check(water, ActionName::Place, of_meter.clone(), None).await.unwrap().value;
    assert!(by_owner.held && by_owner.owner);
    snapshot!("grant_check_exceeded", check(meter, ActionName::Command, stream.clone(), None).await.unwrap());
    snapshot!(
        "grant_check_revoked_device",
        check(revoked, ActionName::Attest, of_revoked.clone(), None).await.unwrap()
    );
    let before = check(meterworks, ActionName::Register, of_revoked.clone(), height(2)).await.unwrap();
    assert!(before.value.held);
    snapshot!("grant_check_revoked_grant", check(meterworks, ActionName::Register, of_revoked, None).await.unwrap());
    snapshot!("grant_check_no_grant", check(meterworks, ActionName::Read, of_meter, None).await.unwrap());
    let nowhere = ScopeView::Stream(Text(StreamId::from_hash(nobody())));
    snapshot!("grant_check_unknown", refusal(check(meter, ActionName::Attest, nowhere, None).await));
}

#[tokio::test]
async fn stream() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    snapshot!("stream_get", client.stream_get(Text(world.stream), None).await.unwrap());
    let unknown = Text(StreamId::from_hash(nobody()));
    snapshot!("stream_get_unknown", refusal(client.stream_get(unknown, None).await));
    snapshot!("stream_list", client.stream_list(Some(Text(world.meter)), None, None, None).await.unwrap());
    assert_eq!(client.stream_list(None, None, None, None).await.unwrap().items.len(), 1);
    let nobodys = client.stream_list(Some(Text(DeviceId::from_hash(nobody()))), None, None, None).await;
    snapshot!("stream_list_unknown", refusal(nobodys));
    let page = client.stream_get_range(Text(world.stream), Some(Text(1)), Some(1), None).await.unwrap();
    snapshot!("stream_getRange", page);
    let next = page.next.map(|next| next.parse().unwrap());
    let rest = client.stream_get_range(Text(world.stream), next, None, None).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    snapshot!("stream_getRange_unknown", refusal(client.stream_get_range(unknown, None, None, None).await));
}

#[tokio::test]
async fn attestation() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let by_place = client.attestation_get(world.place(2).into(), None).await.unwrap();
    let by_id = client.attestation_get(world.attestations[2].id().into(), None).await.unwrap();
    assert_eq!(by_place, by_id);
    snapshot!("attestation_get", by_place);
    snapshot!("attestation_get_unknown", refusal(client.attestation_get(world.place(3).into(), None).await));
    let other = Text(AttestationSelector::Transaction(world.opened.id()));
    snapshot!("attestation_get_other_call", refusal(client.attestation_get(other, None).await));
    let monday = Text(ContentHash::plain(MONDAY));
    snapshot!("attestation_findByContent", client.attestation_find_by_content(monday, None, None, None).await.unwrap());
    let nothing = client.attestation_find_by_content(Text(ContentHash::plain(b"?")), None, None, None).await.unwrap();
    assert_eq!((nothing.items.len(), nothing.next), (0, None));
    let limit = client.attestation_find_by_content(monday, None, Some(5_000), None).await;
    snapshot!("attestation_findByContent_limit", refusal(limit));
}

#[tokio::test]
async fn audit() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    let week = || world.place(2).into();
    snapshot!("audit_trace", client.audit_trace(week(), None, Some(TraceFormat::Prov), None).await.unwrap());
    let shallow = client.audit_trace(week(), Some(0), Some(TraceFormat::Dot), None).await.unwrap();
    snapshot!("audit_trace_cut", shallow);
    snapshot!("audit_trace_too_deep", refusal(client.audit_trace(week(), Some(65), None, None).await));
    let content = ContentEvidenceView {
        form: ContentFormName::Plain,
        hash: Text(ContentHash::plain(MONDAY)),
        bytes: Text(u64::try_from(MONDAY.len()).unwrap()),
    };
    let verdict = client.audit_verdict(world.place(0).into(), Some(content), None, None).await.unwrap();
    assert_eq!(verdict.value.outcome, "VALID", "{:?}", verdict.value.reasons);
    snapshot!("audit_verdict", verdict);
    let forged = ContentEvidenceView { hash: Text(ContentHash::plain(b"changed")), ..content };
    let verdict = client.audit_verdict(world.place(0).into(), Some(forged), None, None).await.unwrap().value;
    snapshot!("audit_verdict_forged", (verdict.outcome, verdict.reasons, verdict.integrity));
    snapshot!("audit_verdict_unknown", refusal(client.audit_verdict(world.place(7).into(), None, None, None).await));
    snapshot!("audit_bundle_unknown", refusal(client.audit_bundle(world.place(7).into(), None, None).await));
}

#[tokio::test]
async fn proof_refusals() {
    let served = Served::new().await;
    let (client, world) = (&served.client, served.world());
    snapshot!("proof_getState_no_key", refusal(client.proof_get_state(Text(vec![]), None, None).await));
    let key = Text(state_key::device(&world.meter));
    snapshot!("proof_getState_pruned", refusal(client.proof_get_state(key, Some(true), LONG_AGO).await));
    let unknown = Text(TransactionId::from_hash(nobody()));
    snapshot!("proof_getTransaction_unknown", refusal(client.proof_get_transaction(unknown, None).await));
}

#[tokio::test]
async fn node() {
    let served = Served::new().await;
    snapshot!("node_getHealth", served.client.node_get_health().await.unwrap());
    snapshot!("node_getPeers", served.client.node_get_peers().await.unwrap());
    snapshot!("node_getVersion", served.client.node_get_version().await.unwrap());
}
