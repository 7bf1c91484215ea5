//! Organizations begin once, with keys of their own.

use cairn_types::organization::KeySetError;
use cairn_types::{KeyError, KeySet, OrganizationInception, Position, PublicKey};

use super::world::{World, organization};
use crate::organization::FoundingError;
use crate::{Founder, found};

fn refused(change: impl FnOnce(&mut OrganizationInception)) -> FoundingError {
    let world = World::new();
    let (mut inception, _) = organization("hospital", 1, 2);
    change(&mut inception);
    let founder = Founder { inception, roles: Default::default() };
    found(&world.state, &founder, Position::default()).expect_err("it may not be founded")
}

#[test]
fn a_founder_is_refused_for_its_name_its_title_and_each_of_its_keys() {
    let name = || "hospital".parse().expect("a valid name");
    let works: cairn_types::Name = "works".parse().expect("a valid name");
    let (_, works_keys) = organization("works", 1, 1);
    let used = works_keys.keys[0].1.public;
    let weak = PublicKey::Ed25519([0; 32]);

    assert_eq!(refused(|o| o.name = works.clone()), FoundingError::NameTaken { name: works.clone() });
    assert_eq!(refused(|o| o.title = "x".repeat(129)), FoundingError::Title { name: name() });
    assert_eq!(refused(|o| o.title = "Mary\u{1b}[2J".to_owned()), FoundingError::Title { name: name() });
    let by = World::new().works.principal;
    let used_by_works = FoundingError::KeyUsed { name: name(), key: used, by };
    assert_eq!(refused(|o| o.keys = KeySet::single(used)), used_by_works);
    let keys = |source| FoundingError::Keys { name: name(), source };
    assert_eq!(refused(|o| o.keys.threshold = 3), keys(KeySetError::Threshold { threshold: 3, count: 2 }));
    assert_eq!(refused(|o| o.keys.threshold = 0), keys(KeySetError::Threshold { threshold: 0, count: 2 }));
    assert_eq!(refused(|o| o.keys.keys.reverse()), keys(KeySetError::Order));
    assert_eq!(refused(|o| o.keys.keys.clear()), keys(KeySetError::Count { count: 0 }));
    let weak_key = KeySetError::Key { index: 0, source: KeyError::SmallOrder };
    assert_eq!(refused(|o| o.keys = KeySet::single(weak)), keys(weak_key));
}

#[test]
fn recovery_keys_are_kept_apart_from_the_others() {
    let (inception, _) = organization("hospital", 1, 2);
    let shared = inception.keys.keys[1];
    let refusal = refused(|o| o.recovery = Some(KeySet::single(shared)));
    assert!(matches!(refusal, FoundingError::KeyUsed { name, key, .. } if name == inception.name && key == shared));
}
