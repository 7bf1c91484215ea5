//! A key is stolen, and its owner says since when.

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{KeyStanding, LaterEvent};
use cairn_tests::actor::{self, key, public};
use cairn_tests::stage::Stage;
use cairn_tests::{Actor, calls};
use cairn_types::{Principal, Role};

/// Heights between the announcement of a recovery and its effect.
const DELAY: u64 = 20;

const HONEST: &[u8] = b"the device, before";
const FORGED: &[u8] = b"the thief, in the window";
const FORGED_LATER: &[u8] = b"the thief, after the announcement";
const RENEWED: &[u8] = b"the device, with its new key";

#[tokio::test]
async fn scenario_a_key_is_stolen_its_window_turns_suspect_and_the_thief_neither_rotates_nor_cancels() {
    let stage = Stage::open(&["--recovery-delay", &DELAY.to_string()]).await;
    let (everyday, kept_apart) = (key(701), key(702));
    let inception = calls::organization("operator", &everyday, &kept_apart);
    let owner = Actor { principal: Principal::Organization(inception.id()), key: everyday };
    stage.decide(calls::admit(inception, &[Role::Operator])).await;
    let grant = stage.zone_grant(&owner, "plant").await;
    let mut meter = stage.meter(2, &owner, "plant/pump", grant).await;
    let honest = stage.attest(&mut meter, HONEST).await;

    // The thief has the device's key and its stream, and nobody knows.
    let stolen = stage.now().await;
    let mut thief = meter.clone();
    let forged = stage.attest(&mut thief, FORGED).await;
    assert!(stolen <= forged.position);
    stage.valid("forged, and nobody knows", forged, FORGED).await;

    // The owner announces another key, and says since when the old one is in doubt.
    let (fresh, after_fresh) = (key(703), key(704));
    let renewed = Actor { principal: meter.device.principal, key: fresh.clone() };
    let announce = calls::recover(meter.id(), &fresh, &after_fresh, Some(stolen));
    let announced = stage.say(&owner, announce, &[&renewed]).await;
    let effective = announced.position.height.get() + DELAY;
    let pending = stage.device(meter.id()).await.recovery.expect("it is announced");
    assert_eq!((pending.recovery.key.0, pending.recovery.effective.0.get()), (public(&fresh), effective));

    let verdict = stage.doubtful("forged in the window", forged, FORGED, "key_suspect").await;
    assert_eq!(verdict.key.expect("reached").standing, KeyStanding::Suspect { since: stolen });
    let verdict = stage.valid("said before the window", honest, HONEST).await;
    assert_eq!(verdict.key.as_ref().expect("reached").standing, KeyStanding::Held);
    assert_eq!(verdict.present.as_ref().expect("reached").recovery.map(|height| height.get()), Some(effective));

    // The thief cannot have the key changed, nor keep it from being changed.
    let (own, own_next) = (public(&key(705)), public(&key(706)));
    let impostor = Actor { principal: meter.device.principal, key: key(705) };
    let rotated = stage.refused(&impostor, calls::rotate_to(meter.id(), own, own_next), &[]).await;
    assert_eq!(rotated.data.name, "KeyNotCommitted");
    let cancel = calls::cancel_recovery(meter.id());
    let cancelled = stage.refused(&thief.device, cancel.clone(), &[]).await;
    assert_eq!(cancelled.data.name, "SignerNotEntitled");
    let as_owner = Actor { principal: owner.principal, key: thief.device.key.clone() };
    assert_eq!(stage.refused(&as_owner, cancel.clone(), &[]).await.data.name, "SignatureInvalid");
    assert_eq!(stage.refused(&owner, cancel, &[]).await.data.name, "SignatureInvalid", "not with everyday keys");
    let overtake = calls::recover(meter.id(), &key(705), &key(706), None);
    assert_eq!(stage.refused(&as_owner, overtake, &[&impostor]).await.data.name, "RecoveryPending");

    // Until the delay is over the thief speaks, and is not believed.
    let forged_later = stage.attest(&mut thief, FORGED_LATER).await;
    stage.doubtful("forged after the announcement", forged_later, FORGED_LATER, "key_suspect").await;

    let mut clockwork = stage.clockwork().await;
    stage.run_to(&mut clockwork, effective).await;
    let silent = stage.attest_refused(&thief, b"too late").await;
    assert_eq!(silent.data.name, "SignatureInvalid");
    let mut meter = thief.clone();
    meter.device = renewed;
    let on = stage.attest(&mut meter, RENEWED).await;
    let verdict = stage.valid("said with the new key", on, RENEWED).await;
    let epoch = verdict.key.expect("reached").epoch.expect("a key speaks");
    assert_eq!((epoch.key, epoch.from.height.get()), (public(&fresh), effective));

    // Nothing of the past has changed since.
    stage.doubtful("forged in the window, later", forged, FORGED, "key_suspect").await;
    let verdict = stage.valid("said before the window, later", honest, HONEST).await;
    let later = verdict.later.as_ref().expect("reached");
    assert!(later.iter().any(|later| later.event == LaterEvent::KeyRotated { key: public(&fresh) }), "{later:?}");
    let Answer::Device(Some(file)) = stage.look_up(Question::Device(meter.id())).await else {
        panic!("the device is registered")
    };
    let epochs: Vec<_> = file.keys.iter().map(|epoch| (epoch.value.key, epoch.suspect_since)).collect();
    assert_eq!(epochs, [(public(&actor::key(2)), Some(stolen)), (public(&fresh), None)]);
    stage.close();
}
