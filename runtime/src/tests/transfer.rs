//! A device changes hands: one owner at every position, and a past that stays.

use cairn_types::call::{RevokeGrant, Supersede};
use cairn_types::{Action, AttestationRef, Call, DeviceStatus, Grantee, Rejection, Scope};

use super::invariants::Facts;
use super::world::{Actor, Device, World, accept, give, offer, open, set_status};

fn sold(world: &mut World, meter: &Device, from: &Actor, to: &Actor) {
    world.submit(&[from], offer(meter, Some(to))).expect("the owner offers");
    world.submit(&[to], accept(meter, to.zone("yard"))).expect("the other accepts");
}

#[test]
fn only_who_it_is_offered_to_accepts_and_into_its_own_namespace() {
    let (mut world, meter, _) = World::with_meter();
    let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
    let not_offered = Err(Rejection::DeviceNotOffered { device: meter.id });
    assert_eq!(world.submit(&[&contractor], accept(&meter, contractor.zone("yard"))), not_offered);
    world.submit(&[&works], offer(&meter, Some(&contractor))).expect("the owner offers");
    assert_eq!(world.submit(&[&board], accept(&meter, board.zone("yard"))), not_offered);
    let foreign = world.submit(&[&contractor], accept(&meter, works.zone("north")));
    assert!(matches!(foreign, Err(Rejection::ZoneForeign { .. })), "{foreign:?}");
    let position = world.now();
    world.submit(&[&contractor], accept(&meter, contractor.zone("yard"))).expect("as offered");
    let file = &Facts::of(&world.state).devices[&meter.id];
    assert_eq!((file.owners[0].to, file.owners[1].from), (Some(position), position));
    assert_eq!(file.owners[1].value, contractor.organization());
    assert_eq!(file.placements[1].value, contractor.zone("yard"));
}

#[test]
fn an_offer_is_replaced_withdrawn_and_ends_with_the_device() {
    let (mut world, meter, _) = World::with_meter();
    let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
    assert!(world.submit(&[&works], offer(&meter, None)).is_err(), "nothing to withdraw");
    let to_itself = world.submit(&[&works], offer(&meter, Some(&works)));
    assert!(matches!(to_itself, Err(Rejection::OfferInvalid { .. })), "{to_itself:?}");
    world.submit(&[&works], offer(&meter, Some(&contractor))).expect("offered");
    let again = world.submit(&[&works], offer(&meter, Some(&contractor)));
    assert!(matches!(again, Err(Rejection::OfferInvalid { .. })), "{again:?}");
    world.submit(&[&works], offer(&meter, Some(&board))).expect("to somebody else instead");
    assert!(world.submit(&[&contractor], accept(&meter, contractor.zone("yard"))).is_err());
    world.submit(&[&works], offer(&meter, None)).expect("withdrawn");
    assert!(world.submit(&[&board], accept(&meter, board.zone("yard"))).is_err());
    world.submit(&[&works], offer(&meter, Some(&board))).expect("offered again");
    world.submit(&[&works], set_status(&meter, DeviceStatus::Decommissioned, None)).expect("scrapped");
    assert!(world.submit(&[&board], accept(&meter, board.zone("yard"))).is_err());
}

#[test]
fn what_the_old_owner_gave_over_the_device_ends_and_does_not_come_back() {
    let (mut world, meter, zone_grant) = World::with_meter();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let grant = world.given(&works, give(Grantee::Device(meter.id), [Action::Attest], Scope::Device(meter.id)));
    let flow = world.opened(&meter, "flow", grant);
    sold(&mut world, &meter, &works, &contractor);

    let by_old = world.submit(&[&meter.actor()], world.next(flow, "day 1", grant));
    assert_eq!(by_old, Err(Rejection::GrantOfEarlierOwner { grant }));
    let by_zone = world.submit(&[&meter.actor()], world.next(flow, "day 1", zone_grant));
    assert!(matches!(by_zone, Err(Rejection::GrantNotHeld { .. })), "it is not in that zone any more");
    let new_grant =
        world.given(&contractor, give(Grantee::Device(meter.id), [Action::Attest], Scope::Device(meter.id)));
    assert!(world.submit(&[&meter.actor()], world.next(flow, "day 1", new_grant)).is_ok(), "the stream goes on");

    sold(&mut world, &meter, &contractor, &works);
    let back = world.submit(&[&meter.actor()], world.next(flow, "day 2", grant));
    assert_eq!(back, Err(Rejection::GrantOfEarlierOwner { grant }), "the same owner again, but another ownership");
}

#[test]
fn the_new_owner_disowns_nothing_of_the_old_ones_time() {
    let (mut world, meter, grant) = World::with_meter();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let flow = world.opened(&meter, "flow", grant);
    let said_at = world.now();
    world.submit(&[&meter.actor()], world.next(flow, "day 1", grant)).expect("said");
    let over_stream = world.given(&works, give(Grantee::Device(meter.id), [Action::Attest], Scope::Stream(flow)));
    sold(&mut world, &meter, &works, &contractor);

    let day_1 = AttestationRef { stream: flow, sequence: 0 };
    let supersede = |target, replacement| Call::Supersede(Supersede { target, replacement });
    let disowned = Err(Rejection::AttestationOfEarlierOwner { attestation: day_1 });
    assert_eq!(world.submit(&[&contractor], supersede(day_1, None)), disowned);
    assert_eq!(world.submit(&[&meter.actor()], supersede(day_1, None)), disowned, "nor does the device in its name");
    let revoke = set_status(&meter, DeviceStatus::Revoked, Some(said_at));
    assert!(matches!(world.submit(&[&contractor], revoke), Err(Rejection::SuspectSinceInvalid { .. })));
    let revoke = Call::RevokeGrant(RevokeGrant { grant: over_stream, suspect_since: Some(said_at) });
    assert!(matches!(world.submit(&[&contractor], revoke.clone()), Err(Rejection::SuspectSinceInvalid { .. })));
    assert!(world.submit(&[&works], revoke).is_ok(), "whoever gave it may doubt what was done under it");
    assert!(world.submit(&[&works], set_status(&meter, DeviceStatus::Revoked, None)).is_err());

    let new = world.given(&contractor, give(Grantee::Device(meter.id), [Action::Attest], Scope::Device(meter.id)));
    world.submit(&[&meter.actor()], world.next(flow, "day 2", new)).expect("said");
    world.submit(&[&meter.actor()], world.next(flow, "day 2, corrected", new)).expect("said");
    let (day_2, corrected) = (AttestationRef { sequence: 1, ..day_1 }, AttestationRef { sequence: 2, ..day_1 });
    assert_eq!(world.submit(&[&contractor], supersede(day_1, Some(corrected))), disowned);
    let earlier = world.submit(&[&contractor], supersede(corrected, Some(day_2)));
    assert!(matches!(earlier, Err(Rejection::ReplacementInvalid { .. })), "{earlier:?}");
    assert!(world.submit(&[&contractor], supersede(day_2, Some(corrected))).is_ok());
    let again = Err(Rejection::SupersededAlready { attestation: day_2 });
    assert_eq!(world.submit(&[&meter.actor()], supersede(day_2, None)), again);
    let until = Facts::of(&world.state).devices[&meter.id].owners[1].from;
    let revoke = set_status(&meter, DeviceStatus::Revoked, Some(until));
    assert!(world.submit(&[&contractor], revoke).is_ok(), "from the day of the sale on");
}

#[test]
fn a_grant_over_a_zone_outlives_the_sale_of_a_device_in_it() {
    let (mut world, meter, grant) = World::with_meter();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let valve = world.registered("valve", "north");
    sold(&mut world, &meter, &works, &contractor);
    assert!(world.submit(&[&valve.actor()], open("flow", grant)).is_ok());
}
