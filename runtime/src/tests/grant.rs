//! Who may do what: authority is given, passed on within its bounds, and ended in one write.

use cairn_types::call::{Grant, RevokeGrant};
use cairn_types::grant::Dimension;
use cairn_types::{Action, Call, GrantId, Grantee, Height, Position, Rejection, Scope, Window, state_key};

use super::invariants::Facts;
use super::world::{Actor, Device, World, give, open, place, revoke, set_status};

const ATTEST_AND_DELEGATE: [Action; 2] = [Action::Attest, Action::Delegate];

fn to(actor: &Actor) -> Grantee {
    Grantee::Organization(actor.organization())
}

/// works → contractor → board → every device in `north`, where the meter stands.
struct Chain {
    world: World,
    meter: Device,
    /// From the owner's down to the zone's.
    grants: [GrantId; 3],
}

impl Chain {
    fn new() -> Self {
        let mut world = World::new();
        let meter = world.registered("meter", "north");
        let (works, contractor, board) = (world.works.clone(), world.contractor.clone(), world.board.clone());
        let north = world.over_zone("north");
        let top = Grant { depth: 2, ..give(to(&contractor), ATTEST_AND_DELEGATE, north.clone()) };
        let top = world.given(&works, top);
        let middle = Grant { depth: 1, parent: Some(top), ..give(to(&board), ATTEST_AND_DELEGATE, north.clone()) };
        let middle = world.given(&contractor, middle);
        let last = Grant { parent: Some(middle), ..give(world.in_zone("north"), [Action::Attest], north) };
        let last = world.given(&board, last);
        Self { world, meter, grants: [top, middle, last] }
    }

    fn open_stream(&mut self, name: &str) -> Result<cairn_types::TransactionId, Rejection> {
        self.world.submit(&[&self.meter.actor()], open(name, self.grants[2]))
    }
}

#[test]
fn one_grant_to_a_zone_authorizes_a_fleet() {
    let (mut world, _, grant) = World::with_meter();
    for number in 0..20 {
        let device = world.registered(&format!("meter {number}"), "north");
        world.opened(&device, "flow", grant);
    }
    let elsewhere = world.registered("meter elsewhere", "south");
    assert!(world.submit(&[&elsewhere.actor()], open("flow", grant)).is_err());
}

#[test]
fn when_the_managers_grant_is_revoked_all_beneath_it_ends_in_one_write() {
    let mut chain = Chain::new();
    assert!(chain.open_stream("flow").is_ok());
    let works = chain.world.works.clone();
    let end = chain.world.transaction(&[&works], revoke(chain.grants[0]));
    let remembered = state_key::remembered(end.body().expires.expect("a revocation expires"), &end.id());
    let written = chain.world.block(vec![end]).executed.changes;
    assert_eq!(written.into_keys().collect::<Vec<_>>(), [state_key::grant(&chain.grants[0]), remembered]);

    assert_eq!(chain.open_stream("level"), Err(Rejection::GrantRevoked { grant: chain.grants[0] }));
    let board = chain.world.board.clone();
    let more = Grant {
        parent: Some(chain.grants[1]),
        ..give(chain.world.in_zone("north/pump"), [Action::Attest], chain.world.over_zone("north/pump"))
    };
    let refused = chain.world.submit(&[&board], Call::Grant(more));
    assert_eq!(refused, Err(Rejection::GrantRevoked { grant: chain.grants[0] }), "nor is it passed on");
}

#[test]
fn its_grantor_every_grantor_above_and_the_owner_may_revoke_and_nobody_else() {
    type Who = fn(&Chain) -> Actor;
    let cases: [(&str, Who, bool); 4] = [
        ("the owner", |chain| chain.world.works.clone(), true),
        ("the grantor above", |chain| chain.world.contractor.clone(), true),
        ("the grantor", |chain| chain.world.board.clone(), true),
        ("a device that holds it", |chain| chain.meter.actor(), false),
    ];
    for (who, actor, may) in cases {
        let mut chain = Chain::new();
        let actor = actor(&chain);
        assert_eq!(chain.world.submit(&[&actor], revoke(chain.grants[2])).is_ok(), may, "{who}");
    }
    let mut chain = Chain::new();
    let board = chain.world.board.clone();
    let refused = chain.world.submit(&[&board], revoke(chain.grants[0]));
    assert!(matches!(refused, Err(Rejection::SignerNotEntitled { .. })), "nobody revokes upwards");
}

#[test]
fn a_child_exceeds_its_parent_in_nothing() {
    let mut world = World::new();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let now = world.height().get();
    let window = |from: u64, to: u64| Window { from: Height::new(now + from), to: Some(Height::new(now + to)) };
    let parent = Grant {
        depth: 2,
        window: window(0, 50),
        ..give(to(&contractor), ATTEST_AND_DELEGATE, world.over_zone("north"))
    };
    let parent = world.given(&works, parent);
    let child = Grant {
        depth: 1,
        window: window(1, 49),
        parent: Some(parent),
        ..give(to(&works), ATTEST_AND_DELEGATE, world.over_zone("north/pump"))
    };
    let cases: [(&str, Dimension, Grant); 6] = [
        (
            "an action more",
            Dimension::Action,
            Grant {
                actions: [Action::Attest, Action::Delegate, Action::Command].into_iter().collect(),
                ..child.clone()
            },
        ),
        ("as deep", Dimension::Depth, Grant { depth: 2, ..child.clone() }),
        (
            "from earlier",
            Dimension::Window,
            Grant { window: Window { from: Height::new(now - 1), ..child.window }, ..child.clone() },
        ),
        ("for longer", Dimension::Window, Grant { window: window(1, 51), ..child.clone() }),
        ("without end", Dimension::Window, Grant { window: Window { to: None, ..child.window }, ..child.clone() }),
        ("beside the scope", Dimension::Scope, Grant { scope: world.over_zone("northwest"), ..child.clone() }),
    ];
    for (what, dimension, exceeding) in cases {
        let refused = world.submit(&[&contractor], Call::Grant(exceeding));
        assert_eq!(refused, Err(Rejection::GrantExceeded { grant: parent, dimension }), "{what}");
    }
    assert!(world.submit(&[&contractor], Call::Grant(child)).is_ok());
}

#[test]
fn a_parent_over_a_zone_covers_a_child_over_a_device_or_a_stream_that_is_there() {
    let (mut world, meter, grant) = World::with_meter();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let flow = world.opened(&meter, "flow", grant);
    let parent = Grant { depth: 1, ..give(to(&contractor), ATTEST_AND_DELEGATE, world.over_zone("north")) };
    let parent = world.given(&works, parent);
    let child =
        |scope| Call::Grant(Grant { parent: Some(parent), ..give(Grantee::Device(meter.id), [Action::Attest], scope) });

    let for_stream = world.submit(&[&contractor], child(Scope::Stream(flow))).expect("the stream's device is in north");
    world.submit(&[&contractor], child(Scope::Device(meter.id))).expect("the device is in north");
    let attest = |world: &World| world.next(flow, "day 1", GrantId::of(&for_stream));
    assert!(world.submit(&[&meter.actor()], attest(&world)).is_ok());

    world.submit(&[&works], place(&meter, world.zone("south"), None)).expect("the owner moves it out");
    let exceeded = Rejection::GrantExceeded { grant: parent, dimension: Dimension::Scope };
    assert_eq!(world.submit(&[&contractor], child(Scope::Device(meter.id))), Err(exceeded.clone()));
    assert_eq!(world.submit(&[&meter.actor()], attest(&world)), Err(exceeded), "and what was given covers it no more");
}

#[test]
fn a_path_has_eight_links_and_no_more() {
    let (mut world, meter, _) = World::with_meter();
    let parties = [world.works.clone(), world.contractor.clone()];
    let mut parent = None;
    for depth in (1..8).rev() {
        let (grantor, grantee) = (&parties[(depth + 1) % 2], &parties[depth % 2]);
        let terms =
            Grant { depth: depth as u8, parent, ..give(to(grantee), ATTEST_AND_DELEGATE, world.over_zone("north")) };
        parent = Some(world.given(grantor, terms));
    }
    let holder = &parties[1];
    let eighth = Grant { parent, ..give(Grantee::Device(meter.id), [Action::Attest], world.over_zone("north")) };
    let eighth = world.given(holder, eighth);
    assert!(world.submit(&[&meter.actor()], open("flow", eighth)).is_ok());
    let ninth =
        Grant { parent: Some(eighth), ..give(Grantee::Device(meter.id), [Action::Attest], world.over_zone("north")) };
    let refused = world.submit(&[&meter.actor()], Call::Grant(ninth));
    assert_eq!(refused, Err(Rejection::GrantPathTooLong { grant: eighth, max: 8 }));
}

#[test]
fn a_grant_may_be_used_within_its_window_only() {
    let (mut world, meter, _) = World::with_meter();
    let works = world.works.clone();
    let (first, end) = (world.height().get() + 3, world.height().get() + 5);
    let window = Window { from: Height::new(first), to: Some(Height::new(end)) };
    let terms = Grant { window, ..give(world.in_zone("north"), [Action::Attest], world.over_zone("north")) };
    let grant = world.given(&works, terms);
    while world.height().get() <= end {
        let height = world.height().get();
        let opened = world.submit(&[&meter.actor()], open(&format!("at-{height}"), grant));
        let exceeded = Rejection::GrantExceeded { grant, dimension: Dimension::Window };
        assert_eq!(opened.err(), (!(first..end).contains(&height)).then_some(exceeded), "height {height}");
    }
}

#[test]
fn a_device_that_moves_out_takes_along_what_it_passed_on() {
    let mut world = World::new();
    let (gateway, meter) = (world.registered("gateway", "north"), world.registered("meter", "north"));
    let works = world.works.clone();
    let terms = Grant { depth: 1, ..give(world.in_zone("north"), ATTEST_AND_DELEGATE, world.over_zone("north")) };
    let parent = world.given(&works, terms);
    let terms =
        Grant { parent: Some(parent), ..give(Grantee::Device(meter.id), [Action::Attest], Scope::Device(meter.id)) };
    let grant = world.given(&gateway.actor(), terms);
    let flow = world.opened(&meter, "flow", grant);
    world.submit(&[&works], place(&gateway, world.zone("south"), None)).expect("the owner moves the gateway");
    let not_held = Rejection::GrantNotHeld { grant: parent, signer: gateway.principal() };
    assert_eq!(world.submit(&[&meter.actor()], world.next(flow, "day 1", grant)), Err(not_held));
}

#[test]
fn what_a_revoked_device_passed_on_stays_until_somebody_revokes_it() {
    // Revocation of a device ends its own word. Whoever wants an end to more names the grant.
    let mut world = World::new();
    let (gateway, meter) = (world.registered("gateway", "north"), world.registered("meter", "north"));
    let works = world.works.clone();
    let terms = Grant { depth: 1, ..give(Grantee::Device(gateway.id), ATTEST_AND_DELEGATE, world.over_zone("north")) };
    let parent = world.given(&works, terms);
    let terms =
        Grant { parent: Some(parent), ..give(world.in_zone("north"), [Action::Attest], world.over_zone("north")) };
    let grant = world.given(&gateway.actor(), terms);
    world.submit(&[&works], set_status(&gateway, cairn_types::DeviceStatus::Revoked, None)).expect("the owner revokes");
    assert!(world.submit(&[&meter.actor()], open("flow", grant)).is_ok());
    world.submit(&[&works], revoke(parent)).expect("the owner revokes the grant");
    assert_eq!(world.submit(&[&meter.actor()], open("level", grant)), Err(Rejection::GrantRevoked { grant: parent }));
}

#[test]
fn doubt_about_a_grant_moves_earlier_and_never_later() {
    let (mut world, _, grant) = World::with_meter();
    let works = world.works.clone();
    world.idle(5);
    let doubt = |since: u64| {
        let since = Position::start_of(Height::new(since));
        Call::RevokeGrant(RevokeGrant { grant, suspect_since: Some(since) })
    };
    let closed_at = world.now();
    world.submit(&[&works], revoke(grant)).expect("the owner revokes");
    world.submit(&[&works], doubt(5)).expect("and doubts it afterwards");
    world.submit(&[&works], doubt(3)).expect("and from earlier on");
    for same_or_later in [3, 4] {
        let refused = world.submit(&[&works], doubt(same_or_later));
        assert_eq!(refused, Err(Rejection::GrantRevokedAlready { grant }));
    }
    let interval = &Facts::of(&world.state).grants[&grant];
    assert_eq!(interval.to, Some(closed_at), "the end stays where it was");
    assert_eq!(interval.suspect_since, Some(Position::start_of(Height::new(3))));
}

#[test]
fn a_grant_covers_devices_that_come_later_and_is_refused_where_no_device_can_be() {
    let (mut world, _, grant) = World::with_meter();
    let late = world.registered("late", "north/annex");
    assert!(world.submit(&[&late.actor()], open("flow", grant)).is_ok());
    let works = world.works.clone();
    let nobody = cairn_types::OrganizationId::from_hash(cairn_types::Hash::plain(b"nobody"));
    let nowhere = Scope::Zone(cairn_types::Zone { organization: nobody, path: Default::default() });
    let refused = world.submit(&[&works], Call::Grant(give(to(&works), [Action::Read], nowhere)));
    assert_eq!(refused, Err(Rejection::OrganizationUnknown { organization: nobody }));
}

#[test]
fn a_grant_is_unknown_at_a_position_before_it() {
    let (mut world, meter, _) = World::with_meter();
    let asked = world.now();
    let transaction = |world: &World, grant| {
        let mut body = world.body(&meter.actor(), open("flow", grant));
        body.not_before = world.block_ref(0);
        world.sign(&[&meter.actor()], body)
    };
    world.idle(1);
    let works = world.works.clone();
    let grant = world.given(&works, give(world.in_zone("north"), [Action::Attest], world.over_zone("north")));
    let at_then =
        crate::apply(&world.state, world.context(), &crate::CheckDirectly, &transaction(&world, grant), asked);
    assert_eq!(at_then, Err(Rejection::GrantUnknown { grant }));
}

#[test]
fn who_owns_the_scope_revokes_a_grant_that_an_owner_before_gave() {
    let (mut world, meter, _) = World::with_meter();
    let (works, contractor) = (world.works.clone(), world.contractor.clone());
    let yard = Scope::Zone(contractor.zone("yard"));
    let grant = world.given(&contractor, give(Grantee::Device(meter.id), [Action::Attest], yard));
    assert!(world.submit(&[&works], revoke(grant)).is_err());
    world.overwrite_scope(grant, Scope::Device(meter.id));
    let revocation = world.transaction(&[&works], revoke(grant));
    assert!(crate::apply(&world.state, world.context(), &crate::CheckDirectly, &revocation, world.now()).is_ok());
}
