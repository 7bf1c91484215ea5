//! A device changes hands.

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::LaterEvent;
use cairn_tests::actor::{self, place};
use cairn_tests::calls;
use cairn_tests::stage::{Stage, zone_of};
use cairn_types::{Action, Call, GrantId, Grantee, Position, Scope};

const OLD: &[u8] = b"under the old owner";
const NEW: &[u8] = b"under the new owner";
const CORRECTED: &[u8] = b"under the new owner, corrected";

#[tokio::test]
async fn scenario_a_device_is_sold_old_grants_close_and_the_new_owner_can_neither_disown_nor_revoke_old_data() {
    let stage = Stage::open(&[]).await;
    let (seller, buyer) = (stage.works(), stage.maker());
    let device = stage.register(4, seller, "plant/pump").await;
    let over_device = calls::grant(Grantee::Device(device.device()), &[Action::Attest], Scope::Device(device.device()));
    let grant = GrantId::of(&stage.say(seller, Call::Grant(over_device.clone()), &[]).await.id);
    let in_zone = stage.zone_grant(seller, "plant").await;
    let mut meter = stage.stream(4, device, "readings", None, grant).await;
    let old = stage.attest(&mut meter, OLD).await;
    let by_zone = stage.stream(4, meter.device.clone(), "by-zone", None, in_zone).await;

    // Only who it is offered to accepts.
    let accept = |by: &cairn_tests::Actor| calls::accept(meter.id(), zone_of(by, "yard"));
    assert_eq!(stage.refused(buyer, accept(buyer), &[]).await.data.name, "DeviceNotOffered");
    stage.say(seller, calls::offer(meter.id(), buyer.organization()), &[]).await;
    let offer = stage.device(meter.id()).await.offer.expect("it is offered");
    assert_eq!(offer.to.0, buyer.organization());
    assert_eq!(stage.refused(stage.auditor(), accept(stage.auditor()), &[]).await.data.name, "DeviceNotOffered");
    let sold = stage.say(buyer, accept(buyer), &[]).await.position;
    let view = stage.device(meter.id()).await;
    assert_eq!((view.owner.0, Position::from(view.owner_since)), (buyer.organization(), sold));

    // What the old owner gave over the device has ended, and what it gave over its zone does not reach it.
    assert_eq!(stage.attest_refused(&meter, NEW).await.data.name, "GrantOfEarlierOwner");
    assert_eq!(stage.attest_refused(&by_zone, NEW).await.data.name, "GrantNotHeld");
    assert_eq!(stage.refused(seller, place(meter.id(), zone_of(seller, "plant")), &[]).await.data.name, "ZoneForeign");
    let revoke = calls::revoke_device(meter.id(), None);
    assert_eq!(stage.refused(seller, revoke, &[]).await.data.name, "SignerNotEntitled");

    // What was said keeps its verdict, with the owner of its time.
    let verdict = stage.valid("said under the old owner", old, OLD).await;
    let owners: Vec<_> = verdict.device.as_ref().expect("reached").owners.iter().map(|owner| owner.value).collect();
    assert_eq!(owners, [seller.organization()]);
    let later = verdict.later.as_ref().expect("reached");
    let changed = LaterEvent::OwnerChanged { owner: buyer.organization() };
    assert!(later.iter().any(|later| later.event == changed && later.position == sold), "{later:?}");
    assert_eq!(verdict.present.as_ref().expect("reached").owner, Some(buyer.organization()));

    // The new owner can neither disown nor doubt it, and nor can the device in its name.
    let disown = calls::supersede(meter.place(0), None);
    assert_eq!(stage.refused(buyer, disown.clone(), &[]).await.data.name, "AttestationOfEarlierOwner");
    assert_eq!(stage.refused(&meter.device, disown, &[]).await.data.name, "AttestationOfEarlierOwner");
    let backdated = calls::revoke_device(meter.id(), Some(old.position));
    assert_eq!(stage.refused(buyer, backdated, &[]).await.data.name, "SuspectSinceInvalid");
    let doubt = calls::revoke_grant_since(grant, old.position);
    assert_eq!(stage.refused(buyer, doubt, &[]).await.data.name, "SuspectSinceInvalid");

    // Under a grant of its own the stream goes on, and what is said now the new owner may correct and revoke.
    meter.writing.authority = GrantId::of(&stage.say(buyer, Call::Grant(over_device), &[]).await.id);
    let new = stage.attest(&mut meter, NEW).await;
    stage.attest(&mut meter, CORRECTED).await;
    let correct = calls::supersede(meter.place(1), Some(meter.place(2)));
    assert_eq!(
        stage.refused(seller, correct.clone(), &[]).await.data.name,
        "SignerNotEntitled",
        "the seller has no say any more"
    );
    stage.say(buyer, correct, &[]).await;
    let verdict = stage.valid("said under the new owner, corrected since", new, NEW).await;
    assert!(verdict.present.as_ref().expect("reached").superseded);
    stage.say(buyer, calls::revoke_device(meter.id(), Some(sold)), &[]).await;
    stage.doubtful("revoked since the sale", new, NEW, "key_suspect").await;
    stage.valid("said before the sale, of a device that is revoked now", old, OLD).await;

    let Answer::Device(Some(file)) = stage.look_up(Question::Device(meter.id())).await else {
        panic!("the device is registered")
    };
    let owners: Vec<_> = file.owners.iter().map(|owner| (owner.value, owner.from, owner.to)).collect();
    let registered = file.record.registered;
    let (first, second) = (seller.organization(), buyer.organization());
    assert_eq!(owners, [(first, registered, Some(sold)), (second, sold, None)]);
    assert_eq!(file.record.inception, actor::inception(4));
    stage.close();
}
