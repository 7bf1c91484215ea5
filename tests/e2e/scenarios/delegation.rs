//! Authority is passed on and on, and ends at one place.

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{LaterEvent, PresentAuthority};
use cairn_rpc::views::{ActionName, PrincipalView, ScopeView, Text};
use cairn_tests::actor::revoke_grant;
use cairn_tests::calls;
use cairn_tests::stage::{Meter, Stage, zone_of};
use cairn_types::{Action, Call, GrantId, Grantee, Position, Principal, Scope};
use serde_json::json;

const READING: &[u8] = b"flow 1.2";

/// What `grant_check` says to a device that wants to attest as itself by the grant that it names.
async fn check(stage: &Stage, meter: &Meter) -> cairn_rpc::views::GrantCheckView {
    let principal = PrincipalView::from(Principal::Device(meter.id()));
    let target = ScopeView::from(Scope::Stream(meter.stream()));
    let named = Some(Text(meter.writing.authority));
    let answer = stage.node().client().grant_check(principal, ActionName::Attest, target, named, None).await;
    answer.expect("a question that has an answer").value
}

#[tokio::test]
async fn scenario_a_managers_grant_is_revoked_and_everything_beneath_ends_in_one_write() {
    let stage = Stage::open(&[]).await;
    let (owner, manager, delegate) = (stage.works(), stage.maker(), stage.auditor());
    let (plant, line) = (zone_of(owner, "plant"), zone_of(owner, "plant/line"));

    // The owner trusts a manager, the manager a delegate, the delegate whatever stands in a zone.
    let given = async |by, terms| GrantId::of(&stage.say(by, Call::Grant(terms), &[]).await.id);
    let managers = given(owner, calls::delegation(manager.organization(), plant, 2, None)).await;
    let delegates = given(manager, calls::delegation(delegate.organization(), line.clone(), 1, Some(managers))).await;
    let terms = calls::grant(Grantee::Zone(line.clone()), &[Action::Attest], Scope::Zone(line.clone()));
    let zones = given(delegate, cairn_types::call::Grant { parent: Some(delegates), ..terms }).await;
    let own = stage.zone_grant(owner, "plant").await;

    let mut meters = Vec::new();
    let mut said = Vec::new();
    for seed in 51..=54 {
        let mut meter = stage.meter(seed, owner, "plant/line", zones).await;
        said.push(stage.attest(&mut meter, READING).await);
        meters.push(meter);
    }
    let held = check(&stage, &meters[0]).await;
    let path: Vec<GrantId> = held.path.iter().map(|grant| grant.id.0).collect();
    assert_eq!((held.held, path), (true, vec![zones, delegates, managers]));

    // One transaction, and it is a small one.
    let revoke = stage.signed(owner, revoke_grant(managers), &[]).await;
    assert!(revoke.bytes().len() < 300, "{} bytes", revoke.bytes().len());
    let revoked = stage.finalize(&revoke).await.position;

    for meter in &meters {
        let refused = stage.attest_refused(meter, READING).await;
        assert_eq!(refused.data.name, "GrantRevoked");
        assert!(refused.message.contains(&managers.to_string()), "{}", refused.message);
        let failed = check(&stage, meter).await;
        assert!(!failed.held);
        let [failure] = failed.failures.as_slice() else { panic!("one grant was tried: {:?}", failed.failures) };
        assert_eq!((failure.grant, failure.rule.as_str()), (Some(Text(zones)), "GrantRevoked"));
        assert!(failure.reason.contains(&managers.to_string()), "{}", failure.reason);
    }
    // The command says the same to whoever asks before sending a device out.
    let device = format!("device:{}", meters[0].id());
    let (grant, principal) = (zones.to_string(), device.as_str());
    let asked =
        ["grant", "check", "--principal", principal, "--action", "attest", "--target", &device, "--grant", &grant];
    let (status, told) = stage.command(&asked);
    assert_eq!((status, &told["held"]), (1, &json!(false)), "{told}");
    assert!(
        told["failures"][0]["reason"].as_str().is_some_and(|reason| reason.contains(&managers.to_string())),
        "{told}"
    );

    // The delegate cannot pass on what it does not hold any more, nor the manager.
    let more = calls::grant(Grantee::Device(meters[0].id()), &[Action::Attest], Scope::Zone(line.clone()));
    let again = Call::Grant(cairn_types::call::Grant { parent: Some(delegates), ..more });
    assert_eq!(stage.refused(delegate, again, &[]).await.data.name, "GrantRevoked");
    let again = Call::Grant(calls::delegation(delegate.organization(), line, 1, Some(managers)));
    assert_eq!(stage.refused(manager, again, &[]).await.data.name, "GrantRevoked");

    // It was one write: the grants beneath are as they were, and the proof shows why they give nothing.
    let Answer::Grant(path) = stage.look_up(Question::Grant(zones)).await else { panic!("another question") };
    let ends: Vec<_> = path.iter().map(|(id, grant)| (*id, grant.to)).collect();
    assert_eq!(ends, [(zones, None), (delegates, None), (managers, Some(revoked))]);

    // What was said before keeps its verdict, which tells the end.
    for said in said {
        let verdict = stage.valid("said under the delegates' grant", said, READING).await;
        let later = verdict.later.as_ref().expect("reached");
        let ended = LaterEvent::GrantRevoked { grant: managers, suspect_since: None };
        assert!(later.iter().any(|later| later.event == ended && later.position == revoked), "{later:?}");
        let present = &verdict.present.as_ref().expect("reached").authority;
        assert!(matches!(present, PresentAuthority::NotHeld { .. }), "{present:?}");
    }
    // What the owner gave itself is no part of it: the devices go on under that.
    let mut meter = meters.remove(0);
    meter.writing.authority = own;
    let on = stage.attest(&mut meter, READING).await;
    assert!(on.position > Position { index: 0, ..revoked });
    stage.valid("said under the owner's own grant", on, READING).await;
    stage.close();
}
