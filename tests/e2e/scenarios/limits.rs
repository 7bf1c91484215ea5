//! A grant gives so much and no more, and whoever exceeds it is told in which way.

use cairn_proofs::verdict::PresentAuthority;
use cairn_rpc::error::ErrorView;
use cairn_rpc::views::{ActionName, PrincipalView, ScopeView, Text};
use cairn_tests::stage::{Stage, zone_of};
use cairn_tests::{Actor, calls};
use cairn_types::call::Grant;
use cairn_types::{Action, Call, GrantId, Grantee, Height, Scope, Window};

const READING: &[u8] = b"flow 1.2";

/// Heights for which the grant that expires may be used.
const OPEN: u64 = 40;

#[track_caller]
fn assert_exceeded(refused: &ErrorView, grant: GrantId, dimension: &str) {
    assert_eq!(refused.data.name, "GrantExceeded", "{}", refused.message);
    assert_eq!(refused.message, format!("exceeds grant {grant} in {dimension}"));
    let field = |name: &str| refused.data.fields.get(name).map(String::as_str);
    assert_eq!((field("grant"), field("dimension")), (Some(grant.to_string().as_str()), Some(dimension)));
}

/// Asserts that `grant_check` names the dimension to a device that wants to attest as itself by `grant`.
async fn assert_check_names(stage: &Stage, device: &Actor, grant: GrantId, dimension: &str) {
    let principal = PrincipalView::from(device.principal);
    let target = ScopeView::from(Scope::Device(device.device()));
    let answer =
        stage.node().client().grant_check(principal, ActionName::Attest, target, Some(Text(grant)), None).await;
    let check = answer.expect("a question that has an answer").value;
    assert!(!check.held);
    assert_eq!(check.failures[0].rule, "GrantExceeded");
    assert_eq!(check.failures[0].reason, format!("exceeds grant {grant} in {dimension}"));
}

#[tokio::test]
async fn scenario_an_expired_or_exceeded_grant_is_refused_with_the_dimension_named() {
    let stage = Stage::open(&[]).await;
    let (owner, manager, delegate) = (stage.works(), stage.maker(), stage.auditor());
    let (plant, line) = (zone_of(owner, "plant"), zone_of(owner, "plant/line"));
    let given = async |by, terms| GrantId::of(&stage.say(by, Call::Grant(terms), &[]).await.id);
    let device = stage.register(61, owner, "plant/line").await;
    let to_device = Grantee::Device(device.device());
    let attest_in = |path: &str| calls::grant(to_device.clone(), &[Action::Attest], Scope::Zone(zone_of(owner, path)));

    // Action: a grant to read is none to attest.
    let readers = given(owner, calls::grant(to_device.clone(), &[Action::Read], Scope::Zone(plant.clone()))).await;
    let refused = stage.refused(&device, calls::open_stream("readings", None, readers), &[]).await;
    assert_exceeded(&refused, readers, "action");
    assert_check_names(&stage, &device, readers, "action").await;

    // Scope: a grant over another line does not reach this one.
    let elsewhere = given(owner, attest_in("plant/other-line")).await;
    let refused = stage.refused(&device, calls::open_stream("readings", None, elsewhere), &[]).await;
    assert_exceeded(&refused, elsewhere, "scope");
    assert_check_names(&stage, &device, elsewhere, "scope").await;

    // Window: what was said in its heights stands, and after them nothing is.
    let end = stage.now().await.height.get() + OPEN;
    let window = Window { from: Height::GENESIS, to: Some(Height::new(end)) };
    let expiring = given(owner, Grant { window, ..attest_in("plant/line") }).await;
    let mut meter = stage.stream(61, device.clone(), "readings", None, expiring).await;
    let in_time = stage.attest(&mut meter, READING).await;
    let mut clockwork = stage.clockwork().await;
    stage.run_to(&mut clockwork, end).await;
    assert_exceeded(&stage.attest_refused(&meter, READING).await, expiring, "window");
    assert_check_names(&stage, &device, expiring, "window").await;
    let verdict = stage.valid("said in time", in_time, READING).await;
    let present = verdict.present.expect("reached").authority;
    assert!(matches!(present, PresentAuthority::NotHeld { .. }), "{present:?}");
    let future = Window { from: Height::new(1_000_000), to: None };
    let early = given(owner, Grant { window: future, ..attest_in("plant/line") }).await;
    assert_exceeded(&stage.refused(&device, calls::open_stream("early", None, early), &[]).await, early, "window");

    // Depth: what may be passed on once is passed on once.
    let once = given(owner, calls::delegation(manager.organization(), plant.clone(), 1, None)).await;
    let passed_on = calls::delegation(delegate.organization(), plant.clone(), 1, Some(once));
    assert_exceeded(&stage.refused(manager, Call::Grant(passed_on), &[]).await, once, "depth");
    let last = given(manager, Grant { parent: Some(once), ..attest_in("plant/line") }).await;
    meter.writing.authority = last;
    let said = stage.attest(&mut meter, READING).await;
    let verdict = stage.valid("said under a grant that was passed on once", said, READING).await;
    assert_eq!(verdict.authority.expect("reached").path().len(), 2);

    // A child exceeds its parent in no other dimension either.
    let window = Window { from: Height::new(1), to: Some(Height::new(1_000_000)) };
    let parent = Grant { window, ..calls::delegation(manager.organization(), line.clone(), 2, None) };
    let parent_id = given(owner, parent.clone()).await;
    let child = Grant {
        grantee: Grantee::Organization(delegate.organization()),
        depth: 1,
        parent: Some(parent_id),
        ..parent.clone()
    };
    let actions = [Action::Attest, Action::Command, Action::Delegate].into_iter().collect();
    let too_much = [
        ("action", Grant { actions, ..child.clone() }),
        ("scope", Grant { scope: Scope::Zone(plant), ..child.clone() }),
        ("window", Grant { window: Window::ALWAYS, ..child.clone() }),
        ("depth", Grant { depth: 2, ..child.clone() }),
    ];
    for (dimension, terms) in too_much {
        assert_exceeded(&stage.refused(manager, Call::Grant(terms), &[]).await, parent_id, dimension);
    }
    given(manager, child).await;
    let held = stage.grants_over(Scope::Zone(line)).await;
    assert!(held.contains(&parent_id) && held.contains(&expiring), "{held:?}");
    stage.close();
}
