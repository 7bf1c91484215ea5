//! Keys change, and what they said stays.

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{KeyStanding, LaterEvent, PresentKey};
use cairn_rpc::views::Text;
use cairn_tests::actor::{epoch_key, in_epoch, public};
use cairn_tests::calls;
use cairn_tests::stage::Stage;

/// How many states a node keeps.
const STATES_KEPT: u64 = 256;

#[tokio::test]
async fn scenario_a_device_rotates_three_times_and_its_first_attestation_verifies_years_later() {
    const FIRST: &[u8] = b"time,flow\n00:00,1.2\n";
    const LAST: &[u8] = b"time,flow\n00:00,7.4\n";
    let stage = Stage::open(&[]).await;
    let grant = stage.zone_grant(stage.works(), "plant").await;
    let mut meter = stage.meter(1, stage.works(), "plant/pump", grant).await;
    let first = stage.attest(&mut meter, FIRST).await;

    // Years are heights here: each epoch lasts a hundred of them.
    let mut clockwork = stage.clockwork().await;
    let mut rotations = Vec::new();
    for epoch in 1..=3 {
        stage.run_to(&mut clockwork, first.position.height.get() + 100 * epoch).await;
        let renewed = in_epoch(meter.seed, epoch);
        rotations.push(stage.say(&renewed, calls::rotate(meter.seed, epoch), &[]).await.position);
        let refused = stage.attest_refused(&meter, b"by the key before").await;
        assert_eq!(refused.data.name, "SignatureInvalid");
        meter.device = renewed;
    }
    let last = stage.attest(&mut meter, LAST).await;
    stage.run_to(&mut clockwork, last.position.height.get() + 20).await;

    // No node has the state of that time any more, nor any from before the last rotation but one.
    let then = first.position.height;
    for node in &stage.network.nodes {
        let tip = node.height().await.expect("it answers");
        assert!(tip > then.get() + STATES_KEPT + 64, "{} is at {tip}", node.name);
        let error = node.client().device_get(Text(meter.id()), Some(Text(then))).await;
        let error = error.expect_err("a node is no archive");
        assert_eq!(error.name(), Some("HeightPruned"), "{}: {error}", node.name);
    }

    let verdict = stage.valid("said with the first key", first, FIRST).await;
    let key = verdict.key.as_ref().expect("reached");
    assert_eq!(key.standing, KeyStanding::Held);
    let epoch = key.epoch.expect("a key spoke");
    assert_eq!((epoch.key, epoch.to), (public(&epoch_key(1, 0)), Some(rotations[0])));
    let is_rotation = |event: &LaterEvent| matches!(event, LaterEvent::KeyRotated { .. });
    let later = verdict.later.as_ref().expect("reached").iter();
    let rotated: Vec<_> = later.filter(|later| is_rotation(&later.event)).map(|later| later.position).collect();
    assert_eq!(rotated, rotations);
    assert_eq!(verdict.present.as_ref().expect("reached").key, PresentKey::Ended { at: rotations[0] });

    let verdict = stage.valid("said with the fourth key", last, LAST).await;
    let epoch = verdict.key.expect("reached").epoch.expect("a key speaks");
    assert_eq!((epoch.key, epoch.from, epoch.to), (public(&epoch_key(1, 3)), rotations[2], None));

    // The whole list of epochs, with the proof that it is whole.
    let Answer::Device(Some(file)) = stage.look_up(Question::Device(meter.id())).await else {
        panic!("the device is registered")
    };
    let keys: Vec<_> = file.keys.iter().map(|epoch| epoch.value.key).collect();
    assert_eq!(keys, (0..=3).map(|epoch| public(&epoch_key(1, epoch))).collect::<Vec<_>>());
    for (before, after) in file.keys.iter().zip(&file.keys[1..]) {
        assert_eq!(before.to, Some(after.from), "one epoch ends where the next begins");
    }
    stage.close();
}
