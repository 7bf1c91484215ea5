//! Identity and authority in full: lots, governance, recovery, sale, doubt and quotas, and what was known when.

use cairn_rpc::ClientError;
use cairn_rpc::RpcConfig;
use cairn_rpc::views::{ActionName, PrincipalView, ScopeView, Text};
use cairn_types::{ContentHash, Hash, Height, LotId};
use insta::assert_json_snapshot as snapshot;

use crate::backend::{Node, Served};
use crate::later::Later;
use crate::methods::refusal;
use crate::world::MONDAY;

/// A served node that holds the later ledger, and what is in it.
pub(crate) async fn served() -> (Served, Later) {
    // The ledger is the same each time it is made, so one copy is served and the other tells what is in it.
    (Served::with(RpcConfig::default(), Node::of(Later::new().world)).await, Later::new())
}

fn height(height: u64) -> Option<Text<Height>> {
    Some(Text(Height::new(height)))
}

fn name_of<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    refusal(result).data.name
}

#[tokio::test]
async fn every_other_call_has_a_view() {
    let (served, _) = served().await;
    let mut calls = Vec::new();
    for block in 5..=7 {
        let block = served.client.chain_get_block(height(block)).await.unwrap();
        for line in block.value.transactions {
            let answer = served.client.tx_get(line.id, None).await.unwrap().value;
            let created = answer.receipt.expect("final").created;
            calls.push((answer.transaction.call, created));
        }
    }
    snapshot!("calls_of_authority", calls);
}

#[tokio::test]
async fn organizations_rotate_their_keys_and_can_be_expelled() {
    let (served, later) = served().await;
    let client = &served.client;
    snapshot!("organization_get_rotated", client.organization_get(later.world.water.into(), None).await.unwrap());
    snapshot!("organization_get_expelled", client.organization_get(later.audit.into(), None).await.unwrap());
    let before = client.organization_get(later.audit.into(), height(6)).await.unwrap().value;
    assert_eq!((before.admitted.index, before.expelled), (0, None));
    let water = || Text::from(later.world.water);
    let history = client.organization_get_history(water(), None, None, None).await.unwrap();
    snapshot!("organization_getHistory", history);
    let first = client.organization_get_history(water(), None, Some(1), None).await.unwrap();
    let after = first.next.map(|epoch| epoch.parse().unwrap());
    let second = client.organization_get_history(water(), after, Some(1), None).await.unwrap();
    assert_eq!([first.items, second.items].concat(), history.items);
    snapshot!("organization_getUsage", client.organization_get_usage(water(), None).await.unwrap());
    let nobody = || "acme".parse().unwrap();
    assert_eq!(name_of(client.organization_get_usage(nobody(), None).await), "NameUnknown");
    assert_eq!(name_of(client.organization_get_history(nobody(), None, None, None).await), "NameUnknown");
}

#[tokio::test]
async fn devices_are_endorsed_recovered_and_sold() {
    let (served, later) = served().await;
    let client = &served.client;
    snapshot!("device_get_sold", client.device_get(Text(later.world.meter), None).await.unwrap());
    let offered = client.device_get(Text(later.world.meter), height(6)).await.unwrap().value;
    assert_eq!(offered.offer.expect("it is offered").to.0, later.world.meterworks);
    snapshot!("device_get_in_recovery", client.device_get(Text(later.third), height(6)).await.unwrap());
    let recovered = client.device_get(Text(later.third), None).await.unwrap().value;
    assert_eq!(recovered.recovery, None, "the recovery was cancelled");
    assert!(recovered.key.suspect_since.is_some(), "and the doubt stays");
    snapshot!(
        "device_getHistory_sold",
        client.device_get_history(Text(later.world.meter), None, None, None).await.unwrap()
    );
    snapshot!(
        "device_getHistory_recovery",
        client.device_get_history(Text(later.third), None, None, None).await.unwrap()
    );
    snapshot!("device_getUsage", client.device_get_usage(Text(later.world.meter), None).await.unwrap());
    let unused = client.device_get_usage(Text(later.third), None).await.unwrap().value;
    assert_eq!((unused.used, unused.left), (0, Some(18)));
}

#[tokio::test]
async fn lots_are_listed_claimed_and_distrusted() {
    let (served, later) = served().await;
    let client = &served.client;
    snapshot!("lot_get", client.lot_get(Text(later.issued), None).await.unwrap());
    snapshot!("lot_get_distrusted", client.lot_get(Text(later.lot), None).await.unwrap());
    assert_eq!(client.lot_get(Text(later.lot), height(5)).await.unwrap().value.lot.to, None);
    let unknown = Text(LotId::from_hash(Hash::plain(b"nobody")));
    snapshot!("lot_get_unknown", refusal(client.lot_get(unknown, None).await));
    let of_maker = client.lot_list(Some("meterworks".parse().unwrap()), None, None, None).await.unwrap();
    snapshot!("lot_list", of_maker);
    let first = client.lot_list(None, None, Some(1), None).await.unwrap();
    let after = first.next.map(|lot| lot.parse().unwrap());
    let second = client.lot_list(None, after, Some(1), None).await.unwrap();
    assert_eq!([first.items, second.items].concat(), of_maker.items);
    assert!(client.lot_list(Some("sf-water".parse().unwrap()), None, None, None).await.unwrap().items.is_empty());
    assert_eq!(name_of(client.lot_list(Some("acme".parse().unwrap()), None, None, None).await), "NameUnknown");
    snapshot!("lot_getClaims", client.lot_get_claims(Text(later.lot), None, None, None).await.unwrap());
    assert_eq!(name_of(client.lot_get_claims(unknown, None, None, None).await), "LotUnknown");
}

#[tokio::test]
async fn the_council_and_what_it_decided_are_shown() {
    let (served, _) = served().await;
    let client = &served.client;
    snapshot!("chain_getCouncil", client.chain_get_council(None).await.unwrap());
    snapshot!("chain_getParameters", client.chain_get_parameters(None).await.unwrap());
    let before = client.chain_get_parameters(height(4)).await.unwrap().value;
    assert_eq!((before.parameters.device_quota, before.changes, before.history.len()), (50, 0, 1));
    snapshot!("chain_getValidators_scheduled", client.chain_get_validators(None).await.unwrap());
    assert!(client.chain_get_validators(height(5)).await.unwrap().value.scheduled.is_none());
    snapshot!("chain_getUpgrade_scheduled", client.chain_get_upgrade(height(6)).await.unwrap());
    snapshot!("chain_getUpgrade", client.chain_get_upgrade(None).await.unwrap());
    assert_eq!(name_of(client.chain_get_council(height(9)).await), "HeightUnknown");
}

#[tokio::test]
async fn a_check_of_authority_names_a_sale_and_an_expulsion() {
    let (served, later) = served().await;
    let client = &served.client;
    let world = &later.world;
    let meterworks = PrincipalView::Organization(Text(world.meterworks));
    let meter = ScopeView::Device(Text(world.meter));
    let third = ScopeView::Device(Text(later.third));
    let check = async |target: &ScopeView, grant, at| {
        client.grant_check(meterworks, ActionName::Command, target.clone(), Some(Text(grant)), at).await.unwrap().value
    };
    assert!(check(&meter, later.over_meter, height(6)).await.held);
    snapshot!("grant_check_earlier_owner", check(&meter, later.over_meter, None).await);
    assert!(check(&third, later.of_expelled, height(6)).await.held);
    snapshot!("grant_check_expelled", check(&third, later.of_expelled, None).await);
    let audit = PrincipalView::Organization(Text(later.audit));
    let expelled = client.grant_check(audit, ActionName::Command, third, None, None).await.unwrap();
    snapshot!("grant_check_of_expelled", expelled);
}

#[tokio::test]
async fn all_grants_that_bear_on_a_device_are_one_list() {
    let (served, later) = served().await;
    let client = &served.client;
    let third = Some(Text(later.third));
    let all = client.grant_list(None, None, None, height(6), third).await.unwrap();
    snapshot!("grant_list_device", all);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = client.grant_list(None, after, Some(1), height(6), third).await.unwrap();
        paged.extend(page.items);
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(paged, all.items);
    let scope = Some(ScopeView::Device(Text(later.third)));
    snapshot!("grant_list_scope_and_device", refusal(client.grant_list(scope, None, None, None, third).await));
    let nobody = Text(cairn_types::DeviceId::from_hash(Hash::plain(b"nobody")));
    assert_eq!(name_of(client.grant_list(None, None, None, None, Some(nobody)).await), "DeviceUnknown");
}

/// The log is read as of any height, also of one whose state is no longer kept: block 0.
#[tokio::test]
async fn what_was_said_later_was_not_known_before() {
    let (served, later) = served().await;
    let client = &served.client;
    let world = &later.world;
    let monday = || Text::from(world.place(0));
    snapshot!("attestation_get_superseded", client.attestation_get(monday(), None).await.unwrap());
    let before = client.attestation_get(monday(), height(5)).await.unwrap();
    assert_eq!((before.height.0, before.value.superseded), (Height::new(5), None));
    assert_eq!(name_of(client.attestation_get(monday(), height(1)).await), "AttestationUnknown");
    assert_eq!(name_of(client.attestation_get(monday(), height(0)).await), "AttestationUnknown");
    assert_eq!(name_of(client.attestation_get(monday(), height(8)).await), "HeightUnknown");

    let range = async |at| client.stream_get_range(Text(world.stream), None, None, height(at)).await;
    let of_two = range(2).await.unwrap();
    assert_eq!((of_two.items.len(), of_two.next, of_two.height.0), (2, None, Height::new(2)));
    assert_eq!(range(1).await.unwrap().items.len(), 0);
    assert_eq!(name_of(range(0).await), "StreamUnknown");
    assert!(range(7).await.unwrap().items.iter().any(|one| one.superseded.is_some()));

    let content = Text(ContentHash::plain(MONDAY));
    let found =
        async |at| client.attestation_find_by_content(content, None, None, height(at)).await.unwrap().items.len();
    assert_eq!((found(1).await, found(2).await), (0, 1));

    let id = Text(world.attestations[2].id());
    assert_eq!(name_of(client.tx_get(id, height(2)).await), "TransactionUnknown");
    assert_eq!(client.tx_get(id, height(3)).await.unwrap().height.0, Height::new(3));
    assert_eq!(name_of(client.proof_get_transaction(id, height(2)).await), "TransactionUnknown");
    assert_eq!(client.proof_get_transaction(id, height(3)).await.unwrap().height.0, Height::new(3));

    let trace = client.audit_trace(world.place(2).into(), None, None, height(3)).await.unwrap();
    assert_eq!(trace.height.0, Height::new(3));
    assert_eq!(name_of(client.audit_trace(world.place(2).into(), None, None, height(2)).await), "AttestationUnknown");
    let bundle = client.audit_bundle(monday(), None, height(4)).await.unwrap();
    assert_eq!(bundle.height.0, Height::new(4));
    let verdict = async |at| client.audit_verdict(monday(), None, None, height(at)).await;
    assert_eq!(verdict(4).await.unwrap().height.0, Height::new(4));
    assert_eq!(name_of(verdict(1).await), "AttestationUnknown");
    assert_eq!(name_of(client.audit_bundle(monday(), height(5), height(4)).await), "HeightUnknown", "beyond");
}
