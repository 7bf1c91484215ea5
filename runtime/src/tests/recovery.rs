//! A key is lost or stolen, and its device gets another.

use cairn_types::call::CancelRecovery;
use cairn_types::{Call, DeviceStatus, Position, Rejection, Role};

use super::invariants::Facts;
use super::world::{
    Actor, Device, Key, Recoverable, World, accept, offer, open, recover, register, rotate, set_status,
};

/// An operator with a recovery set, and its meter.
struct Scene {
    world: World,
    operator: Recoverable,
    meter: Device,
    fresh: Key,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let operator = world.admitted("operator", &[Role::Operator]);
        let meter = Device::called("meter");
        let call = register(&meter, &operator.now, operator.now.zone("north"));
        world.submit(&[&operator.now, &meter.actor()], call).expect("the owner registers");
        Self { world, operator, meter, fresh: Key::called("fresh") }
    }

    /// The device with its new key.
    fn renewed(&self) -> Actor {
        Actor { principal: self.meter.principal(), keys: vec![(0, self.fresh.clone())] }
    }

    fn announce(&mut self, since: Option<Position>) -> Result<(), Rejection> {
        let (owner, renewed) = (self.operator.now.clone(), self.renewed());
        self.world.submit(&[&owner, &renewed], recover(&self.meter, &self.fresh, since)).map(|_| ())
    }

    fn cancel(&mut self, by: &Actor) -> Result<(), Rejection> {
        self.world.submit(&[by], Call::CancelRecovery(CancelRecovery { device: self.meter.id })).map(|_| ())
    }

    fn current_key(&self) -> cairn_types::PublicKey {
        Facts::of(&self.world.state).devices[&self.meter.id].keys.last().expect("a key").value.key
    }
}

#[test]
fn a_recovery_takes_effect_after_its_delay_with_no_further_transaction() {
    let mut s = Scene::new();
    let announced = s.world.height().get();
    s.announce(None).expect("the owner announces");
    let effective = announced + s.world.parameters.recovery_delay;
    while s.world.height().get() < effective {
        assert_eq!(s.current_key(), s.meter.key(0), "not before");
        s.world.idle(1);
    }
    assert_eq!(s.current_key(), s.fresh.public);
    let facts = Facts::of(&s.world.state);
    let file = &facts.devices[&s.meter.id];
    let from = Position::start_of(cairn_types::Height::new(effective));
    assert_eq!((file.keys[0].to, file.keys[1].from, file.recoveries[0].to), (Some(from), from, Some(from)));
    assert!(facts.reminders.is_empty());
    let thief = s.meter.actor();
    let grant = cairn_types::GrantId::from_hash(cairn_types::Hash::ZERO);
    let silent = s.world.submit(&[&thief], open("flow", grant));
    assert!(matches!(silent, Err(Rejection::GrantUnknown { .. } | Rejection::SignatureInvalid { .. })));
    let renewed = s.renewed();
    let suspend = set_status(&s.meter, DeviceStatus::Suspended, None);
    assert!(matches!(s.world.submit(&[&thief], suspend.clone()), Err(Rejection::SignatureInvalid { .. })));
    assert!(s.world.submit(&[&renewed], suspend).is_ok());
}

#[test]
fn only_the_recovery_set_cancels_and_neither_thief_nor_owner_does() {
    let mut s = Scene::new();
    s.announce(None).expect("the owner announces");
    let (thief, owner, recovery) = (s.meter.actor(), s.operator.now.clone(), s.operator.recovery.clone());
    assert!(matches!(s.cancel(&thief), Err(Rejection::SignerNotEntitled { .. })));
    assert!(matches!(s.cancel(&owner), Err(Rejection::SignatureInvalid { .. })), "not with its everyday keys");
    assert!(s.cancel(&recovery).is_ok());
    s.world.idle(20);
    assert_eq!(s.current_key(), s.meter.key(0), "called off");
    assert_eq!(s.cancel(&recovery), Err(Rejection::RecoveryNotPending { device: s.meter.id }));
    assert!(Facts::of(&s.world.state).reminders.is_empty(), "the reminder is gone when it is due");
    assert_eq!(s.announce(None), Err(Rejection::KeyUsed { by: s.meter.principal() }), "a key is named once");
    s.fresh = Key::called("fresher");
    assert!(s.announce(None).is_ok(), "and again");
}

#[test]
fn doubt_falls_on_the_open_epoch_and_on_nothing_before_it() {
    let mut s = Scene::new();
    let before = s.world.now();
    s.world.idle(1);
    s.world.submit(&[&s.meter.in_epoch(1)], rotate(&s.meter, 1)).expect("the device rotates");
    let refused = s.announce(Some(before));
    assert!(matches!(refused, Err(Rejection::SuspectSinceInvalid { .. })), "{refused:?}");
    let future = Position { index: 1, ..s.world.now() };
    assert!(matches!(s.announce(Some(future)), Err(Rejection::SuspectSinceInvalid { .. })));
    let since = s.world.now();
    s.announce(Some(since)).expect("since now");
    let facts = Facts::of(&s.world.state);
    let doubts: Vec<_> = facts.devices[&s.meter.id].keys.iter().map(|epoch| epoch.suspect_since).collect();
    assert_eq!(doubts, [None, Some(since)]);
}

#[test]
fn one_recovery_at_a_time_by_the_owner_with_the_new_key() {
    let mut s = Scene::new();
    let (works, owner, renewed) = (s.world.works.clone(), s.operator.now.clone(), s.renewed());
    let call = recover(&s.meter, &s.fresh, None);
    let stranger = s.world.submit(&[&works, &renewed], call.clone());
    assert!(matches!(stranger, Err(Rejection::SignerNotEntitled { .. })), "{stranger:?}");
    let missing = s.world.submit(&[&owner], call.clone());
    assert!(matches!(missing, Err(Rejection::SignatureMissing { .. })), "nobody has the new key");
    s.announce(None).expect("the owner announces");
    assert!(matches!(s.announce(None), Err(Rejection::RecoveryPending { .. })));
    let revoke = set_status(&s.meter, DeviceStatus::Revoked, None);
    s.world.submit(&[&owner], revoke).expect("the owner revokes");
    s.world.idle(20);
    assert_eq!(s.current_key(), s.meter.key(0), "a revoked device gets no key");
    assert!(matches!(s.announce(None), Err(Rejection::DeviceStatusForbids { .. })));
}

#[test]
fn a_sale_ends_the_recovery_that_the_old_owner_announced() {
    let mut s = Scene::new();
    s.announce(None).expect("the owner announces");
    let (works, owner) = (s.world.works.clone(), s.operator.now.clone());
    s.world.submit(&[&owner], offer(&s.meter, Some(&works))).expect("offered");
    s.world.submit(&[&works], accept(&s.meter, works.zone("north"))).expect("accepted");
    s.world.idle(20);
    assert_eq!(s.current_key(), s.meter.key(0));
}

#[test]
fn recoveries_of_many_devices_take_effect_in_one_block_and_a_delay_of_one_works() {
    let mut s = Scene::new();
    let parameters = cairn_types::Parameters { recovery_delay: 1, ..s.world.parameters.clone() };
    s.world.governed(cairn_types::governance::Measure::SetParameters(parameters)).expect("the council agrees");
    let owner = s.operator.now.clone();
    let devices: Vec<Device> = (0..5).map(|number| Device::called(&format!("meter {number}"))).collect();
    for device in &devices {
        let call = register(device, &owner, owner.zone("north"));
        s.world.submit(&[&owner, &device.actor()], call).expect("the owner registers");
    }
    let candidates = devices.iter().enumerate().map(|(number, device)| {
        let key = Key::called(&format!("fresh {number}"));
        let renewed = Actor { principal: device.principal(), keys: vec![(0, key.clone())] };
        s.world.transaction(&[&owner, &renewed], recover(device, &key, None))
    });
    let candidates: Vec<_> = candidates.collect();
    assert!(s.world.block(candidates).rejected.is_empty());
    let facts = Facts::of(&s.world.state);
    for device in &devices {
        assert_eq!(facts.devices[&device.id].keys.len(), 2, "effective with the next block");
    }
}
