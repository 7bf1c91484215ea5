//! Devices that are away for long, and speak when they are back.

use std::time::Instant;

use cairn_proofs::verdict::{Authority, DeviceStanding, KeyStanding};
use cairn_rpc::views::{SubmissionView, Text};
use cairn_tests::actor::{place, set_status};
use cairn_tests::calls;
use cairn_tests::stage::{Said, Stage, zone_of};
use cairn_types::DeviceStatus;

/// Blocks that pass meanwhile.
const AWAY: u64 = 5_000;

/// What the device has to say when it is back: a reading for every hundred of them.
const READINGS: u64 = 50;

#[tokio::test]
async fn scenario_a_device_offline_for_5_000_blocks_delivers_with_wide_bounds_and_a_revoked_one_cannot_backdate() {
    let stage = Stage::open(&[]).await;
    let owner = stage.works();
    let grant = stage.zone_grant(owner, "field").await;
    let mut away = stage.meter(31, owner, "field/pump", grant).await;
    let mut moved = stage.meter(32, owner, "field/valve", grant).await;
    let mut revoked = stage.meter(33, owner, "field/gauge", grant).await;
    let mut clockwork = stage.clockwork().await;

    // The last block that they see; what they say from now on they sign offline.
    let seen = stage.node().tip().await;
    let content = |number: u64| format!("reading {number}").into_bytes();
    let mut signed = Vec::new();
    for number in 0..READINGS {
        signed.push(away.writing.attest(stage.chain(), &away.device, seen, &content(number)));
    }
    let by_moved = moved.writing.attest(stage.chain(), &moved.device, seen, &content(0));
    let by_revoked = revoked.writing.attest(stage.chain(), &revoked.device, seen, &content(0));

    // Meanwhile one is revoked, and one stands elsewhere for a while and is out of service.
    let began = Instant::now();
    let back = seen.height.get() + AWAY;
    stage.run_to(&mut clockwork, back - AWAY / 2).await;
    stage.say(owner, calls::revoke_device(revoked.id(), None), &[]).await;
    stage.say(owner, set_status(moved.id(), DeviceStatus::Suspended), &[]).await;
    stage.say(owner, place(moved.id(), zone_of(owner, "workshop")), &[]).await;
    stage.run_to(&mut clockwork, back - AWAY / 4).await;
    stage.say(owner, set_status(moved.id(), DeviceStatus::Active), &[]).await;
    let returned = stage.say(owner, place(moved.id(), zone_of(owner, "field/valve")), &[]).await.position;
    stage.run_to(&mut clockwork, back).await;
    println!("{AWAY} blocks in {:?}", began.elapsed());

    // It delivers the whole stream at once.
    let bytes = signed.iter().map(|one| Text(one.bytes().to_vec())).collect();
    let delivered = stage.node().client().tx_submit_many(bytes).await.expect("the node answers").value.results;
    assert!(delivered.iter().all(|one| matches!(one, SubmissionView::Accepted(_))), "{delivered:?}");
    let mut said: Vec<Said> = Vec::new();
    for one in &signed {
        said.push(stage.wait_for(one.id()).await);
    }
    for number in [0, READINGS / 2, READINGS - 1] {
        let place = usize::try_from(number).expect("small");
        let verdict = stage.valid(&format!("reading {number}, late"), said[place], &content(number)).await;
        let bounds = verdict.bounds.expect("reached");
        assert_eq!((bounds.after.height, bounds.after.hash), (seen.height, seen.hash), "no later than it was seen");
        assert_eq!((bounds.before.height, bounds.position), (said[place].position.height, said[place].position));
        assert!(bounds.before.height.get() - bounds.after.height.get() >= AWAY, "wide");
        assert_eq!(verdict.key.expect("reached").standing, KeyStanding::Held);
        assert!(matches!(verdict.authority.expect("reached"), Authority::Held { .. }));
    }
    let head = stage.valid("the last reading", said[said.len() - 1], &content(READINGS - 1)).await;
    assert_eq!(head.stream.expect("reached").count, READINGS);

    // Whoever was not entitled all the time is told so: when exactly it was said, nobody knows.
    let by_moved = stage.finalize(&by_moved).await;
    let verdict = stage.valid("said before, during or after it was away", by_moved, &content(0)).await;
    assert_eq!(verdict.device.expect("reached").standing, DeviceStanding::ActiveAtInclusion);
    let authority = verdict.authority.expect("reached");
    assert!(matches!(authority, Authority::Indeterminate { since, .. } if since == returned), "{authority:?}");

    // And whoever was revoked meanwhile speaks no more, whatever it says that it saw.
    let refused = stage.refused_transaction(&by_revoked).await;
    assert_eq!(refused.data.name, "DeviceStatusForbids");
    assert!(refused.message.ends_with("is revoked"), "{}", refused.message);
    let again = stage.attest_refused(&revoked, b"now").await;
    assert_eq!(again.data.name, "DeviceStatusForbids");
    stage.close();
}
