//! How much an organization and its devices may say in a window of heights.

use cairn_types::governance::Measure;
use cairn_types::{DeviceStatus, Height, Parameters, Rejection};

use super::world::{World, open, place, set_status};

/// A world in which an organization has `organization` transactions in 20 heights, and a device `device`.
fn limited(organization: u32, device: u32) -> (World, super::world::Device, cairn_types::GrantId) {
    let (mut world, meter, grant) = World::with_meter();
    let parameters = Parameters { organization_quota: organization, device_quota: device, ..world.parameters.clone() };
    world.governed(Measure::SetParameters(parameters)).expect("the council agrees");
    // To the beginning of a window.
    while world.height().get() % world.parameters.quota_window != 0 {
        world.idle(1);
    }
    (world, meter, grant)
}

#[test]
fn a_tenant_is_held_and_the_others_are_not() {
    let (mut world, meter, _) = limited(10, 0);
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let pump = world.registered("pump", "north");
    for turn in 0..8 {
        let to = if turn % 2 == 0 { "south" } else { "north" };
        world.submit(&[&works], place(&meter, world.zone(to), None)).expect("within the quota");
    }
    let until = Height::new(world.height().get() / 20 * 20 + 20);
    let held = Rejection::QuotaExceeded { principal: works.principal, quota: 9, until };
    let south = place(&pump, world.zone("south"), None);
    assert_eq!(world.submit(&[&works], south.clone()), Err(held.clone()));
    assert_eq!(
        world.submit(&[&meter.actor()], open("flow", cairn_types::GrantId::from_hash(cairn_types::Hash::ZERO))),
        Err(held)
    );
    assert!(world.submit(&[&contractor], super::world::offer(&pump, None)).is_err(), "not for its quota");
    let suspend = set_status(&meter, DeviceStatus::Suspended, None);
    assert!(world.submit(&[&works], suspend).is_ok(), "the last tenth stops harm");
    let revoke = set_status(&meter, DeviceStatus::Revoked, None);
    let all_used = Rejection::QuotaExceeded { principal: works.principal, quota: 10, until };
    assert_eq!(world.submit(&[&works], revoke.clone()), Err(all_used));
    while world.height() < until {
        world.idle(1);
    }
    assert!(world.submit(&[&works], revoke).is_ok(), "a new window");
    assert!(world.submit(&[&works], south).is_ok());
}

#[test]
fn a_device_has_a_quota_of_its_own_within_its_owners() {
    let (mut world, meter, grant) = limited(0, 3);
    let valve = world.registered("valve", "north");
    for name in ["a", "b", "c"] {
        world.opened(&meter, name, grant);
    }
    let refused = world.submit(&[&meter.actor()], open("d", grant));
    assert!(
        matches!(refused, Err(Rejection::QuotaExceeded { principal, quota: 3, .. }) if principal == meter.principal())
    );
    assert!(world.submit(&[&valve.actor()], open("a", grant)).is_ok());
}

#[test]
fn the_council_is_never_held() {
    let (mut world, _, _) = limited(1, 1);
    for lifetime_max in [150, 151, 152] {
        let parameters = Parameters { lifetime_max, ..world.parameters.clone() };
        world.governed(Measure::SetParameters(parameters)).expect("a measure counts for nobody");
    }
}
