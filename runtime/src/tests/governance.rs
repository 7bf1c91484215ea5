//! What the council decides, who must agree to it, and what follows.

use cairn_types::call::{Grant, RotateOrganizationKeys};
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::{
    Action, Call, Grantee, Height, KeySet, Parameters, Principal, Rejection, Role, Scope, ValidatorSet, Window,
};

use super::invariants::Facts;
use super::world::{Actor, Recoverable, World, give, govern, open, place, register, validator_set};
use crate::governance::{scheduled_upgrade, validators_at, version_at};

fn longer_lifetime(world: &World) -> Measure {
    Measure::SetParameters(Parameters { lifetime_max: 200, ..world.parameters.clone() })
}

#[test]
fn two_of_three_organizations_are_not_enough_and_each_must_sign_with_enough_keys() {
    let mut world = World::new();
    let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
    let measure = govern(longer_lifetime(&world));
    let missing = |found| Err(Rejection::CouncilQuorumMissing { needed: 3, council: 3, found });
    assert_eq!(world.submit(&[&works, &contractor], measure.clone()), missing(2));
    let one_key = board.with_keys(&[1]);
    assert_eq!(world.submit(&[&works, &contractor, &one_key], measure.clone()), missing(2), "the board signs with two");
    assert!(world.submit(&[&works, &contractor, &board.with_keys(&[0, 2])], measure).is_ok());
    assert_eq!(crate::state::parameters(&world.state).lifetime_max, 200);
}

#[test]
fn who_is_no_council_organization_neither_proposes_nor_helps() {
    let mut world = World::new();
    let operator = world.admitted("operator", &[Role::Operator]).now;
    let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
    let measure = govern(longer_lifetime(&world));
    let refused = world.submit(&[&operator, &works, &contractor, &board], measure.clone());
    assert!(matches!(refused, Err(Rejection::SignerNotEntitled { .. })), "{refused:?}");
    let refused = world.submit(&[&works, &contractor, &board, &operator], measure);
    assert_eq!(refused, Err(Rejection::SignatureUnexpected { signer: operator.principal, key: 0 }));
}

#[test]
fn who_is_admitted_to_the_council_counts_from_then_on() {
    let mut world = World::new();
    let city = world.admitted("city", &[Role::Council]).now;
    let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
    let measure = govern(longer_lifetime(&world));
    let refused = world.submit(&[&works, &contractor], measure.clone());
    assert_eq!(refused, Err(Rejection::CouncilQuorumMissing { needed: 3, council: 4, found: 2 }));
    assert!(world.submit(&[&city, &works, &board], measure).is_ok());
}

#[test]
fn an_expelled_organization_signs_nothing_and_what_rests_on_it_ends_in_one_write() {
    let (mut world, meter, _) = World::with_meter();
    let operator = world.admitted("operator", &[Role::Operator]).now;
    let works = world.works.clone();
    let terms = Grant {
        actions: [Action::Attest, Action::Delegate].into_iter().collect(),
        depth: 1,
        ..give(Grantee::Organization(operator.organization()), [], world.over_zone("north"))
    };
    let given = world.given(&works, terms);
    let terms =
        Grant { parent: Some(given), ..give(world.in_zone("north"), [Action::Attest], world.over_zone("north")) };
    let passed_on = world.given(&operator, terms);
    let flow = world.opened(&meter, "flow", passed_on);
    let before = Facts::of(&world.state);

    world.governed(Measure::Expel(operator.organization())).expect("the council expels");
    let organization = operator.organization();
    let attest = world.next(flow, "day 1", passed_on);
    let ended = Rejection::GrantorExpelled { grant: passed_on, organization };
    assert_eq!(world.submit(&[&meter.actor()], attest), Err(ended));
    let terms = give(Grantee::Device(meter.id), [Action::Read], Scope::Zone(operator.zone("yard")));
    let refused = world.submit(&[&operator], Call::Grant(terms));
    assert_eq!(refused, Err(Rejection::OrganizationExpelled { organization }));
    let valve = super::world::Device::called("valve");
    let refused = world.submit(&[&works, &valve.actor()], register(&valve, &operator, operator.zone("yard")));
    assert_eq!(refused, Err(Rejection::OrganizationExpelled { organization }), "nor may anybody register for it");

    let after = Facts::of(&world.state);
    assert_eq!(before.grants[&passed_on], after.grants[&passed_on], "its grants are as they were");
    assert!(world.governed(Measure::Expel(organization)).is_err(), "once");
}

#[test]
fn validators_change_two_heights_later_by_a_third_at_most_and_one_change_at_a_time() {
    let mut world = World::new();
    let works = world.works.clone();
    let set = |seeds: &[u8]| validator_set(&works, seeds);
    let at = |world: &World, height: u64| validators_at(&world.state, Height::new(height));
    let change = |seeds: &[u8]| Measure::ChangeValidators(set(seeds));
    let too_much = world.governed(change(&[1, 2, 5, 6]));
    assert!(matches!(too_much, Err(Rejection::MeasureInvalid { .. })), "{too_much:?}");

    let height = world.height().get();
    world.governed(change(&[1, 2, 3, 5])).expect("one of four");
    assert_eq!(at(&world, height), set(&[1, 2, 3, 4]));
    assert_eq!(at(&world, height + 1), set(&[1, 2, 3, 4]), "the next block is still theirs");
    assert_eq!(at(&world, height + 2), set(&[1, 2, 3, 5]));
    assert!(world.governed(change(&[1, 2, 6, 5])).is_err(), "a change is still to take effect");
    assert!(world.governed(change(&[1, 2, 6, 5])).is_ok());
    assert_eq!(at(&world, height + 1), set(&[1, 2, 3, 4]), "the past stays");
    assert_eq!(at(&world, height + 4), set(&[1, 2, 6, 5]));

    let expelled = world.governed(Measure::Expel(works.organization()));
    assert!(matches!(expelled, Err(Rejection::MeasureInvalid { .. })), "it has validators");
    let nobody: ValidatorSet = borsh::from_slice(&[0; 4]).expect("an empty set decodes");
    let refused = world.governed(Measure::ChangeValidators(nobody));
    assert!(matches!(refused, Err(Rejection::ValidatorsInvalid { .. })), "{refused:?}");
}

#[test]
fn the_last_council_organization_cannot_be_expelled() {
    let mut world = World::new();
    let works = world.works.clone();
    for organization in [world.contractor.organization(), world.board.organization()] {
        world.governed(Measure::Expel(organization)).unwrap_or_else(|_| {
            // Those who were expelled do not sign any more.
            world.submit(&[&works, &world.contractor.clone()], govern(Measure::Expel(organization))).unwrap_or_else(
                |_| {
                    world
                        .submit(&[&works, &world.board.clone()], govern(Measure::Expel(organization)))
                        .expect("two of two")
                },
            )
        });
    }
    let refused = world.submit(&[&works], govern(Measure::Expel(works.organization())));
    assert!(matches!(refused, Err(Rejection::MeasureInvalid { .. })), "{refused:?}");
}

#[test]
fn an_upgrade_is_scheduled_called_off_and_replaced() {
    let mut world = World::new();
    let height = world.height().get();
    let upgrade = |version, height| Upgrade { version, height: Height::new(height) };
    let schedule = |upgrade| Measure::ScheduleUpgrade(Some(upgrade));
    let called_off = Measure::ScheduleUpgrade(None);
    assert!(world.governed(called_off.clone()).is_err(), "nothing is scheduled");
    assert!(world.governed(schedule(upgrade(1, height + 20))).is_err(), "that version runs");
    let near = world.height().get() + 2;
    assert!(world.governed(schedule(upgrade(2, near))).is_err(), "nobody could prepare");
    world.governed(schedule(upgrade(2, height + 20))).expect("in time");
    assert_eq!(scheduled_upgrade(&world.state, world.height()), Some(upgrade(2, height + 20)));
    world.governed(schedule(upgrade(3, height + 12))).expect("instead of the other");
    assert_eq!(version_at(&world.state, Height::new(height + 11)), 1);
    assert_eq!(version_at(&world.state, Height::new(height + 30)), 3);
    world.governed(called_off).expect("one is scheduled");
    assert_eq!(version_at(&world.state, Height::new(height + 30)), 1);
    assert_eq!(scheduled_upgrade(&world.state, world.height()), None);
}

fn rotation(organization: &Recoverable, keys: &Actor, by_recovery: bool) -> Call {
    Call::RotateOrganizationKeys(RotateOrganizationKeys {
        organization: organization.now.organization(),
        keys: KeySet::single(keys.keys[0].1.public),
        next: None,
        by_recovery,
    })
}

#[test]
fn an_organization_rotates_to_the_keys_it_committed_to_and_a_thief_does_not() {
    let mut world = World::new();
    let operator = world.admitted("operator", &[Role::Operator]);
    let thief = Recoverable::called("thief").now.posing_as(operator.now.principal);
    let refused = world.submit(&[&thief], rotation(&operator, &thief, false));
    let organization = operator.now.organization();
    assert_eq!(refused, Err(Rejection::KeySetNotCommitted { organization }));
    world.submit(&[&operator.next], rotation(&operator, &operator.next, false)).expect("the committed keys");

    let grant = |world: &World, by: &Actor| {
        let terms = Grant {
            window: Window { from: world.height(), to: None },
            ..give(Grantee::Organization(organization), [Action::Read], Scope::Zone(by.zone("yard")))
        };
        Call::Grant(terms)
    };
    let by_old = world.submit(&[&operator.now], grant(&world, &operator.now));
    assert!(matches!(by_old, Err(Rejection::SignatureInvalid { .. })), "the old key is silent");
    assert!(world.submit(&[&operator.next], grant(&world, &operator.next)).is_ok());
    let again = world.submit(&[&operator.next], rotation(&operator, &operator.next, false));
    assert_eq!(again, Err(Rejection::KeySetNotCommitted { organization }), "nothing is committed to now");
}

#[test]
fn a_recovery_set_gives_an_organization_new_keys_and_old_ones_do_not_come_back() {
    let mut world = World::new();
    let operator = world.admitted("operator", &[Role::Operator]);
    let fresh = Recoverable::called("fresh").now;
    let used = world.submit(&[&operator.recovery], rotation(&operator, &operator.now, true));
    assert_eq!(used, Err(Rejection::KeyUsed { by: operator.now.principal }));
    world.submit(&[&operator.recovery], rotation(&operator, &fresh, true)).expect("the recovery set decides");
    let fresh = fresh.posing_as(operator.now.principal);
    let terms = give(Grantee::Organization(fresh.organization()), [Action::Read], Scope::Zone(fresh.zone("")));
    assert!(world.submit(&[&fresh], Call::Grant(terms)).is_ok());

    let works = world.works.clone();
    let none = Recoverable { now: works.clone(), ..Recoverable::called("fresh-two") };
    let missing = world.submit(&[&works], rotation(&none, &none.next, true));
    assert_eq!(missing, Err(Rejection::RecoverySetMissing { organization: works.organization() }));
}

#[test]
fn a_device_governs_nothing() {
    let (mut world, meter, grant) = World::with_meter();
    let refused = world.submit(&[&meter.actor()], govern(longer_lifetime(&world)));
    assert!(matches!(refused, Err(Rejection::SignerNotEntitled { signer: Principal::Device(_), .. })), "{refused:?}");
    assert!(world.submit(&[&meter.actor()], open("flow", grant)).is_ok());
    let south = place(&meter, world.zone("south"), None);
    let works = world.works.clone();
    assert!(world.submit(&[&works], south).is_ok());
    let admit = Measure::Admit(Admit {
        inception: Recoverable::called("works").inception,
        roles: [Role::Auditor].into_iter().collect(),
    });
    let taken = Rejection::OrganizationNameTaken { name: "works".parse().expect("a name") };
    assert_eq!(world.governed(admit), Err(taken));
}
