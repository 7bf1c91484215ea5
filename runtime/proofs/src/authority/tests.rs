use cairn_types::grant::Dimension;
use cairn_types::limits::GRANT_PATH_MAX;
use cairn_types::record::GrantTerms;
use cairn_types::{
    Action, DeviceId, GrantId, Grantee, Hash, Height, Interval, OrganizationId, Position, Principal, Scope, StreamId,
    Target, Window, Zone,
};

use super::{AuthorityFailure, Link, Surroundings, check, path};

fn organization(name: &str) -> OrganizationId {
    OrganizationId::from_hash(Hash::plain(name.as_bytes()))
}

fn device(name: &str) -> DeviceId {
    DeviceId::from_hash(Hash::plain(name.as_bytes()))
}

fn grant(name: &str) -> GrantId {
    GrantId::from_hash(Hash::plain(name.as_bytes()))
}

fn zone(path: &str) -> Zone {
    Zone { organization: organization("works"), path: path.parse().expect("a valid path") }
}

fn at(height: u64) -> Position {
    Position::start_of(Height::new(height))
}

/// Where the meter stands, and who was expelled; nothing else is placed, and all others are members.
struct Around {
    meter: &'static str,
    expelled: Option<&'static str>,
}

impl Surroundings for Around {
    fn zone_of(&self, id: &DeviceId) -> Option<Zone> {
        (*id == device("meter")).then(|| zone(self.meter))
    }

    fn is_member(&self, id: &OrganizationId) -> bool {
        self.expelled.is_none_or(|name| organization(name) != *id)
    }
}

const USUAL: Around = Around { meter: "north/pump", expelled: None };

fn target() -> Target {
    Target {
        owner: organization("works"),
        owned_since: at(1),
        zone: Some(zone("north/pump")),
        device: Some(device("meter")),
        stream: None,
    }
}

/// works → operator (the zone north, may delegate twice) → every device in north.
fn two_links() -> Vec<Link> {
    let top = GrantTerms {
        grantor: Principal::Organization(organization("works")),
        grantee: Grantee::Organization(organization("operator")),
        actions: [Action::Attest, Action::Delegate].into_iter().collect(),
        scope: Scope::Zone(zone("north")),
        window: Window { from: Height::new(2), to: Some(Height::new(100)) },
        depth: 2,
        parent: None,
    };
    let leaf = GrantTerms {
        grantor: Principal::Organization(organization("operator")),
        grantee: Grantee::Zone(zone("north")),
        actions: [Action::Attest].into_iter().collect(),
        depth: 0,
        parent: Some(grant("top")),
        ..top.clone()
    };
    vec![(grant("leaf"), Interval::open(leaf, at(5))), (grant("top"), Interval::open(top, at(3)))]
}

fn attest(path: &[Link], height: u64) -> Result<(), AuthorityFailure> {
    check(path, &Principal::Device(device("meter")), &USUAL, &target(), Action::Attest, at(height))
}

#[test]
fn a_device_in_the_zone_attests_by_a_path_of_two() {
    assert_eq!(attest(&two_links(), 5), Ok(()));
    assert_eq!(attest(&two_links(), 99), Ok(()));
}

#[test]
fn each_rule_names_the_link_and_the_dimension() {
    type Change = fn(&mut Vec<Link>);
    let cases: [(&str, Change, AuthorityFailure); 12] = [
        ("no path", |p| p.clear(), AuthorityFailure::Broken),
        ("the path ends early", |p| drop(p.pop()), AuthorityFailure::Broken),
        ("another parent", |p| p[0].1.value.parent = Some(grant("other")), AuthorityFailure::Broken),
        (
            "a leaf of another zone",
            |p| p[0].1.value.grantee = Grantee::Zone(zone("south")),
            AuthorityFailure::NotHeld { grant: grant("leaf"), claimant: Principal::Device(device("meter")) },
        ),
        (
            "the parent was given to somebody else",
            |p| p[1].1.value.grantee = Grantee::Organization(organization("stranger")),
            AuthorityFailure::NotHeld {
                grant: grant("top"),
                claimant: Principal::Organization(organization("operator")),
            },
        ),
        ("the leaf came later", |p| p[0].1.from = at(51), AuthorityFailure::NotYetGiven { grant: grant("leaf") }),
        (
            "the top was revoked at the very position",
            |p| p[1].1.to = Some(at(50)),
            AuthorityFailure::Revoked { grant: grant("top") },
        ),
        (
            "the window ended",
            |p| p[0].1.value.window.to = Some(Height::new(50)),
            AuthorityFailure::Exceeded { grant: grant("leaf"), dimension: Dimension::Window },
        ),
        (
            "the top may not be passed on",
            |p| p[1].1.value.actions = [Action::Attest].into_iter().collect(),
            AuthorityFailure::Exceeded { grant: grant("top"), dimension: Dimension::Action },
        ),
        (
            "the leaf is as deep as the top",
            |p| p[0].1.value.depth = 2,
            AuthorityFailure::Exceeded { grant: grant("top"), dimension: Dimension::Depth },
        ),
        (
            "the scope is another zone",
            |p| p[1].1.value.scope = Scope::Zone(zone("north/tower")),
            AuthorityFailure::Exceeded { grant: grant("top"), dimension: Dimension::Scope },
        ),
        (
            "the top is not the owner's",
            |p| p[1].1.value.grantor = Principal::Organization(organization("seller")),
            AuthorityFailure::NotOwner { grant: grant("top"), owner: organization("works") },
        ),
    ];
    for (name, change, expected) in cases {
        let mut path = two_links();
        change(&mut path);
        assert_eq!(attest(&path, 50), Err(expected), "{name}");
    }
    let place = check(&two_links(), &Principal::Device(device("meter")), &USUAL, &target(), Action::Place, at(50));
    assert_eq!(place, Err(AuthorityFailure::Exceeded { grant: grant("leaf"), dimension: Dimension::Action }));
}

#[test]
fn a_device_that_left_the_zone_takes_along_what_it_passed_on() {
    let mut path = two_links();
    path[0].1.value.grantee = Grantee::Device(device("sensor"));
    path[0].1.value.grantor = Principal::Device(device("meter"));
    path[1].1.value.grantee = Grantee::Zone(zone("north"));
    let sensor = Principal::Device(device("sensor"));
    let mut target = target();
    target.device = Some(device("sensor"));
    assert_eq!(check(&path, &sensor, &USUAL, &target, Action::Attest, at(50)), Ok(()));
    let gone = Around { meter: "south", ..USUAL };
    assert_eq!(
        check(&path, &sensor, &gone, &target, Action::Attest, at(50)),
        Err(AuthorityFailure::NotHeld { grant: grant("top"), claimant: Principal::Device(device("meter")) })
    );
}

#[test]
fn a_path_is_collected_up_to_the_owner_and_no_further_than_the_limit() {
    let links = two_links();
    let lookup = |id: &GrantId| links.iter().find(|(known, _)| known == id).map(|(_, terms)| terms.clone());
    assert_eq!(path(&grant("leaf"), lookup), Ok(links.clone()));
    assert_eq!(path(&grant("lost"), lookup), Err(AuthorityFailure::Unknown { grant: grant("lost") }));

    let circle = |_: &GrantId| lookup(&grant("leaf"));
    assert_eq!(path(&grant("leaf"), circle), Err(AuthorityFailure::TooLong { grant: grant("leaf") }));

    let mut long = vec![links[0].clone(); GRANT_PATH_MAX];
    long.push(links[1].clone());
    assert_eq!(attest(&long, 50), Err(AuthorityFailure::TooLong { grant: grant("leaf") }));
}

#[test]
fn what_an_earlier_owner_gave_over_a_device_or_a_stream_ended_with_the_sale() {
    let meter = Principal::Device(device("meter"));
    let stream = StreamId::from_hash(Hash::plain(b"flow"));
    let ask = |scope: Scope, owned_since: Position| {
        let mut path = two_links();
        path[0].1.value.scope = scope;
        let target = Target { owned_since, stream: Some(stream), ..target() };
        check(&path, &meter, &USUAL, &target, Action::Attest, at(50))
    };
    for scope in [Scope::Device(device("meter")), Scope::Stream(stream)] {
        // The leaf was given at 5: at the very position of the change of hands it still is of the new owner.
        assert_eq!(ask(scope.clone(), at(5)), Ok(()));
        assert_eq!(ask(scope, at(6)), Err(AuthorityFailure::EarlierOwner { grant: grant("leaf") }));
    }
    // A grant over a zone is about the namespace, which was not sold.
    assert_eq!(ask(Scope::Zone(zone("north")), at(6)), Ok(()));
}

#[test]
fn expelling_an_organization_ends_all_that_it_gave() {
    let meter = Principal::Device(device("meter"));
    for (name, link) in [("operator", "leaf"), ("works", "top")] {
        let around = Around { expelled: Some(name), ..USUAL };
        let failure = AuthorityFailure::Expelled { grant: grant(link), organization: organization(name) };
        assert_eq!(check(&two_links(), &meter, &around, &target(), Action::Attest, at(50)), Err(failure));
    }
}
