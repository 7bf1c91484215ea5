//! What a device may do, and what may be done to it.

use cairn_types::call::RegisterDevice;
use cairn_types::grant::Dimension;
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{Action, Call, DeviceStatus, Grantee, Interval, Position, Rejection, Scope, encode};

use super::invariants::{Facts, at};
use super::world::{Device, World, give, open, place, register, revoke, rotate, set_status};

#[test]
fn a_device_begins_active_and_unendorsed_where_its_owner_puts_it() {
    let mut world = World::new();
    let position = world.now();
    let meter = world.registered("meter", "north/pump");
    let facts = Facts::of(&world.state);
    let file = &facts.devices[&meter.id];
    assert_eq!(file.record.registered, position);
    assert_eq!(file.record.registered_by, world.works.principal);
    assert_eq!(file.record.endorsement, None);
    assert_eq!(file.owners[0].value, world.works.organization());
    assert_eq!(file.statuses[0].value, DeviceStatus::Active);
    assert_eq!(file.placements[0].value, world.zone("north/pump"));
    assert_eq!(file.keys[0].value.key, meter.key(0));
}

#[test]
fn who_holds_register_for_a_zone_registers_there_and_nowhere_else() {
    let mut world = World::new();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let to_contractor = Grantee::Organization(contractor.organization());
    let grant = world.given(&works, give(to_contractor, [Action::Register], world.over_zone("north")));
    let meter = Device::called("meter");
    let by_contractor = |zone: &str, world: &World| match register(&meter, &works, world.zone(zone)) {
        Call::RegisterDevice(call) => Call::RegisterDevice(RegisterDevice { authority: Some(grant), ..call }),
        call => call,
    };
    let signers = [&contractor, &meter.actor()];

    let exceeded = Rejection::GrantExceeded { grant, dimension: Dimension::Scope };
    assert_eq!(world.submit(&signers, by_contractor("south", &world)), Err(exceeded.clone()));
    assert_eq!(world.submit(&signers, by_contractor("", &world)), Err(exceeded), "the whole is not in its part");
    assert!(world.submit(&signers, by_contractor("north/tower", &world)).is_ok());
    assert_eq!(Facts::of(&world.state).devices[&meter.id].record.registered_by, contractor.principal);
}

#[test]
fn a_key_serves_one_device_or_organization_for_ever() {
    let mut world = World::new();
    let meter = world.registered("meter", "north");
    world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)).expect("the device rotates");
    let works = world.works.clone();

    let secondhand = Device::with(&[meter.keys[0].clone(), meter.keys[2].clone()]);
    let call = register(&secondhand, &works, world.zone("north"));
    let used = Rejection::KeyUsed { by: meter.principal() };
    assert_eq!(world.submit(&[&works, &secondhand.actor()], call), Err(used), "not even a key of the past");

    let double = Device::with(&[works.keys[0].1.clone()]);
    let call = register(&double, &works, world.zone("north"));
    let used = Rejection::KeyUsed { by: works.principal };
    assert_eq!(world.submit(&[&works, &double.actor()], call), Err(used));
}

#[test]
fn after_a_rotation_the_new_key_speaks_and_the_old_one_is_silent() {
    let (mut world, meter, grant) = World::with_meter();
    world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)).expect("the device rotates");
    let invalid = Rejection::SignatureInvalid { signer: meter.principal(), key: 0 };
    assert_eq!(world.submit(&[&meter.in_epoch(0)], open("flow", grant)), Err(invalid));
    assert!(world.submit(&[&meter.in_epoch(1)], open("flow", grant)).is_ok());
}

#[test]
fn a_thief_with_the_current_key_cannot_rotate_and_the_device_still_can() {
    let (mut world, meter, _) = World::with_meter();
    let thief = Device::with(&[meter.keys[0].clone(), Device::called("thief").keys[0].clone()]);
    let Call::RotateDeviceKey(mut call) = rotate(&thief, 1) else { unreachable!("rotate makes a rotation") };
    call.device = meter.id;
    let thief = thief.in_epoch(1).posing_as(meter.principal());
    let refused = world.submit(&[&thief], Call::RotateDeviceKey(call));
    assert_eq!(refused, Err(Rejection::KeyNotCommitted { device: meter.id }));
    assert!(world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)).is_ok());
}

#[test]
fn a_device_that_committed_to_its_own_key_can_never_rotate() {
    let mut world = World::new();
    let key = Device::called("meter").keys[0].clone();
    let meter = Device::with(&[key.clone(), key.clone(), key]);
    let works = world.works.clone();
    let call = register(&meter, &works, world.zone("north"));
    world.submit(&[&works, &meter.actor()], call).expect("nobody sees what a commitment hides");
    let used = Rejection::KeyUsed { by: meter.principal() };
    assert_eq!(world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)), Err(used));
}

#[test]
fn a_device_suspends_itself_and_only_its_owner_brings_it_back() {
    let (mut world, meter, grant) = World::with_meter();
    let works = world.works.clone();
    let suspend = set_status(&meter, DeviceStatus::Suspended, None);
    let activate = set_status(&meter, DeviceStatus::Active, None);
    assert!(world.submit(&[&meter.actor()], suspend).is_ok());

    let suspended = Rejection::DeviceStatusForbids { device: meter.id, status: DeviceStatus::Suspended };
    assert_eq!(world.submit(&[&meter.actor()], open("flow", grant)), Err(suspended));
    assert!(world.submit(&[&meter.actor()], activate.clone()).is_err());
    assert!(world.submit(&[&works], activate).is_ok());
    assert!(world.submit(&[&meter.actor()], open("flow", grant)).is_ok());
}

#[test]
fn a_device_may_not_end_itself() {
    let (mut world, meter, _) = World::with_meter();
    for status in [DeviceStatus::Revoked, DeviceStatus::Decommissioned, DeviceStatus::Active] {
        let refused = world.submit(&[&meter.actor()], set_status(&meter, status, None));
        assert!(matches!(refused, Err(Rejection::SignerNotEntitled { .. })), "{status}");
    }
}

#[test]
fn a_suspended_device_may_rotate_its_key_and_do_nothing_else() {
    let (mut world, meter, grant) = World::with_meter();
    let (works, actor) = (world.works.clone(), meter.actor());
    let actions = [Action::Register, Action::Place, Action::Attest, Action::Delegate];
    let mut terms = give(Grantee::Device(meter.id), actions, world.over_zone("north"));
    terms.depth = 1;
    let authority = world.given(&works, terms);
    let valve = world.registered("valve", "north");
    let pass_on = |world: &World| {
        let mut child = give(Grantee::Device(valve.id), [Action::Attest], world.over_zone("north"));
        child.parent = Some(authority);
        Call::Grant(child)
    };
    let passed_on = world.submit(&[&actor], pass_on(&world)).expect("an active device delegates");
    let flow = world.opened(&meter, "flow", grant);
    world.submit(&[&works], set_status(&meter, DeviceStatus::Suspended, None)).expect("the owner suspends");

    let pump = Device::called("pump");
    let Call::RegisterDevice(mut registration) = register(&pump, &works, world.zone("north")) else {
        unreachable!("register makes a registration")
    };
    registration.authority = Some(authority);
    let attempts = [
        ("attest", world.transaction(&[&actor], world.next(flow, "day 1", grant))),
        ("open a stream", world.transaction(&[&actor], open("level", grant))),
        ("delegate", world.transaction(&[&actor], pass_on(&world))),
        ("revoke", world.transaction(&[&actor], revoke(cairn_types::GrantId::of(&passed_on)))),
        ("move a device", world.transaction(&[&actor], place(&valve, world.zone("north/pump"), Some(authority)))),
        ("register", world.transaction(&[&actor, &pump.actor()], Call::RegisterDevice(registration))),
    ];
    for (what, attempt) in attempts {
        let expected = Rejection::DeviceStatusForbids { device: meter.id, status: DeviceStatus::Suspended };
        assert_eq!(world.offer(attempt), Err(expected), "{what}");
    }
    assert!(world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)).is_ok());
}

#[test]
fn a_revoked_device_says_nothing_more_not_even_what_it_signed_before() {
    let (mut world, meter, grant) = World::with_meter();
    let works = world.works.clone();
    let flow = world.opened(&meter, "flow", grant);
    let signed_in_good_time = world.transaction(&[&meter.actor()], world.next(flow, "day 1", grant));
    let since = world.now();
    world.submit(&[&works], set_status(&meter, DeviceStatus::Revoked, None)).expect("the owner revokes");

    let revoked = Rejection::DeviceStatusForbids { device: meter.id, status: DeviceStatus::Revoked };
    assert_eq!(world.offer(signed_in_good_time), Err(revoked.clone()));
    assert_eq!(world.submit(&[&meter.in_epoch(1)], rotate(&meter, 1)), Err(revoked.clone()));
    assert_eq!(world.submit(&[&works], place(&meter, world.zone("south"), None)), Err(revoked));

    let facts = Facts::of(&world.state);
    let before = Position { height: since.height.previous().expect("a block before"), ..since };
    let file = &facts.devices[&meter.id];
    assert!(at(&file.keys, before).is_some(), "its key held when it spoke");
    assert!(at(&file.keys, since).is_none(), "and from the revocation on it has none");
}

#[test]
fn a_block_that_revokes_a_device_holds_what_it_said_before_and_nothing_after() {
    let (mut world, meter, grant) = World::with_meter();
    let works = world.works.clone();
    let flow = world.opened(&meter, "flow", grant);
    let last = world.transaction(&[&meter.actor()], world.next(flow, "day 1", grant));
    let revocation = world.transaction(&[&works], set_status(&meter, DeviceStatus::Revoked, None));
    let Call::Attest(mut after) = world.next(flow, "day 2", grant) else { unreachable!("next attests") };
    (after.sequence, after.previous) = (1, last.id());
    let after = world.transaction(&[&meter.actor()], Call::Attest(after));

    let built = world.block(vec![last.clone(), revocation.clone(), after.clone()]);
    assert_eq!(built.included, [last, revocation]);
    let revoked = Rejection::DeviceStatusForbids { device: meter.id, status: DeviceStatus::Revoked };
    assert_eq!(built.rejected, [(after, revoked)]);
}

#[test]
fn doubt_about_a_revoked_device_moves_earlier_and_never_later() {
    let (mut world, meter, _) = World::with_meter();
    let works = world.works.clone();
    world.idle(5);
    let doubt = |since: u64| {
        let since = Position::start_of(cairn_types::Height::new(since));
        set_status(&meter, DeviceStatus::Revoked, Some(since))
    };
    let since = |world: &World| {
        Facts::of(&world.state).devices[&meter.id].statuses.last().and_then(|status| status.suspect_since)
    };
    let at_height = |height| Some(Position::start_of(cairn_types::Height::new(height)));
    world.submit(&[&works], doubt(5)).expect("revoked, in doubt since 5");
    assert_eq!(since(&world), at_height(5));
    for same_or_later in [5, 6] {
        let refused = world.submit(&[&works], doubt(same_or_later));
        assert!(matches!(refused, Err(Rejection::SuspectSinceInvalid { .. })));
    }
    // Within one block, each sees what the one before has done.
    let [earlier, between] = [doubt(2), doubt(4)].map(|call| world.transaction(&[&works], call));
    let built = world.block(vec![earlier.clone(), between]);
    assert_eq!(built.included, [earlier]);
    assert_eq!(since(&world), at_height(2));
}

#[test]
fn what_is_final_stays() {
    for end in [DeviceStatus::Revoked, DeviceStatus::Decommissioned] {
        let (mut world, meter, _) = World::with_meter();
        let works = world.works.clone();
        world.submit(&[&works], set_status(&meter, end, None)).expect("the owner ends it");
        for to in DeviceStatus::ALL {
            assert!(world.submit(&[&works], set_status(&meter, to, None)).is_err(), "{end} to {to}");
        }
    }
}

#[test]
fn a_device_that_leaves_the_zone_loses_what_the_zone_was_granted_and_regains_it_on_return() {
    let (mut world, meter, grant) = World::with_meter();
    let works = world.works.clone();
    let flow = world.opened(&meter, "flow", grant);
    world.submit(&[&works], place(&meter, world.zone("south"), None)).expect("the owner moves it out");
    let not_held = Rejection::GrantNotHeld { grant, signer: meter.principal() };
    assert_eq!(world.submit(&[&meter.actor()], world.next(flow, "day 1", grant)), Err(not_held));
    world.submit(&[&works], place(&meter, world.zone("north/tower"), None)).expect("and into a part of it");
    assert!(world.submit(&[&meter.actor()], world.next(flow, "day 1", grant)).is_ok());
}

#[test]
fn who_holds_place_for_a_zone_may_neither_fetch_from_outside_nor_send_there() {
    let mut world = World::new();
    let meter = world.registered("meter", "north");
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let to_contractor = Grantee::Organization(contractor.organization());
    let grant = world.given(&works, give(to_contractor, [Action::Place], world.over_zone("north")));
    let mut moved = |zone: &str| {
        let call = place(&meter, world.zone(zone), Some(grant));
        world.submit(&[&contractor], call)
    };
    let exceeded = Rejection::GrantExceeded { grant, dimension: Dimension::Scope };
    assert!(moved("north/tower").is_ok());
    assert_eq!(moved("south"), Err(exceeded.clone()));
    world.submit(&[&works], place(&meter, world.zone("south"), None)).expect("the owner may");
    let fetch = place(&meter, world.zone("north"), Some(grant));
    assert_eq!(world.submit(&[&contractor], fetch), Err(exceeded));
}

#[test]
fn a_grant_over_the_device_itself_follows_it_wherever_it_is() {
    let mut world = World::new();
    let meter = world.registered("meter", "north");
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let to_contractor = Grantee::Organization(contractor.organization());
    let grant = world.given(&works, give(to_contractor, [Action::Place], Scope::Device(meter.id)));
    for zone in ["south", "", "east/1/2"] {
        let call = place(&meter, world.zone(zone), Some(grant));
        assert!(world.submit(&[&contractor], call).is_ok(), "{zone:?}");
    }
}

#[test]
fn signers_are_asked_for_with_the_keys_that_are_open_now() {
    let (mut world, meter, grant) = World::with_meter();
    let by_old_key = world.transaction(&[&meter.in_epoch(0)], open("flow", grant));
    let rotation = world.transaction(&[&meter.in_epoch(1)], rotate(&meter, 1));
    let by_new_key = world.transaction(&[&meter.in_epoch(1)], open("level", grant));
    let built = world.block(vec![rotation.clone(), by_old_key.clone(), by_new_key.clone()]);
    assert_eq!(built.included, [rotation, by_new_key]);
    assert_eq!(built.rejected[0].0, by_old_key);
}

#[test]
fn after_four_billion_moves_a_device_stays_where_it_is() {
    let (mut world, meter, _) = World::with_meter();
    let works = world.works.clone();
    let facet = state_key::device_facet(&meter.id, DeviceFacet::Placement);
    let last =
        (state_key::ordinal(facet.clone(), u32::MAX), Some(encode(&Interval::open(world.zone("end"), world.now()))));
    let crowded = world.state.apply(&crate::Changes::from([last]));
    world.idle(1);
    let call = place(&meter, world.zone("south"), None);
    let transaction = world.transaction(&[&works], call);
    let refused = crate::apply(&crowded, world.context(), &crate::CheckDirectly, &transaction, world.now());
    assert!(matches!(refused, Err(Rejection::FieldInvalid { field: "ordinal", .. })), "{refused:?}");
}
