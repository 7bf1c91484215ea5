//! One tenant floods the network, and the others do not notice.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cairn_proofs::verdict::PresentStream;
use cairn_rpc::views::{AttestationSelector, OrganizationSelector, SubmissionView, Text};
use cairn_tests::actor::set_status;
use cairn_tests::stage::{Meter, Stage};
use cairn_types::{Action, Call, DeviceStatus, Grantee, Scope};

/// Transactions that an organization may have included in a window, and how many of them are kept for stopping harm.
const QUOTA: u32 = 400;
const RESERVED: u32 = QUOTA / 10;

/// The tenant's devices, and the valid attestations that each has ready: ten times what the quota leaves.
const DEVICES: u64 = 4;
const ATTESTATIONS: u64 = 1_000;

/// How many it sends at once.
const BATCH: usize = 100;

/// Transactions of the other tenant that are timed before the flood, and during it.
const TIMED: usize = 40;

/// By how much the others' median may grow, and what is too short to be compared: these nodes share one machine with the
/// flood's own signatures and requests.
const SLOWER_MAX: u32 = 5;
const FLOOR: Duration = Duration::from_millis(200);

/// How an answer is counted that is no refusal.
const TAKEN: &str = "taken";

/// The tenant that floods.
#[derive(Default)]
struct Flood {
    is_over: Cell<bool>,
}

impl Flood {
    /// Sends everything, again and again, until the measurement is over and nothing more is taken.
    async fn pour(&self, stage: &Stage, ready: &[Vec<Vec<u8>>]) {
        let mut answers: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let taken_before = answers.get(TAKEN).copied();
            let longest = ready.iter().map(Vec::len).max().unwrap_or(0);
            for from in (0..longest).step_by(BATCH) {
                for (node, stream) in stage.network.nodes.iter().cycle().zip(ready) {
                    let batch: Vec<_> = stream.iter().skip(from).take(BATCH).cloned().map(Text).collect();
                    let answer = node.client().tx_submit_many(batch).await.expect("the node answers");
                    for result in answer.value.results {
                        let name = match result {
                            SubmissionView::Accepted(_) => TAKEN.to_owned(),
                            SubmissionView::Error(error) => error.data.name,
                        };
                        *answers.entry(name).or_default() += 1;
                    }
                }
            }
            if self.is_over.get() && answers.get(TAKEN).copied() == taken_before {
                break;
            }
        }
        println!("the flood was answered with {answers:?}");
        assert!(answers.contains_key("QuotaExceeded"), "nothing was held");
    }
}

/// Attests one after the other; the times from submission to finality, ascending.
async fn timed(stage: &Stage, meter: &mut Meter) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..TIMED {
        let tip = stage.node().tip().await;
        let attested = meter.writing.attest(stage.chain(), &meter.device, tip, &number.to_le_bytes());
        let began = Instant::now();
        stage.finalize(&attested).await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

#[tokio::test]
async fn scenario_a_tenant_that_floods_is_held_by_its_quota_and_others_keep_their_latency() {
    let quota = QUOTA.to_string();
    let stage = Stage::open(&["--organization-quota", &quota, "--quota-window", "1000000"]).await;
    let (tenant, other) = (stage.works(), stage.maker());
    let grant = stage.zone_grant(tenant, "plant").await;
    let mut tenants = Vec::new();
    for seed in 91..91 + DEVICES {
        tenants.push(stage.meter(seed, tenant, "plant", grant).await);
    }
    let others_grant = stage.zone_grant(other, "plant").await;
    let mut others = stage.meter(99, other, "plant", others_grant).await;

    let tip = stage.node().tip().await;
    let mut ready = Vec::new();
    for meter in &mut tenants {
        let one = |number: u64| meter.writing.attest(stage.chain(), &meter.device, tip, &number.to_le_bytes());
        ready.push((0..ATTESTATIONS).map(one).map(|signed| signed.bytes().to_vec()).collect::<Vec<_>>());
    }
    let before = timed(&stage, &mut others).await;
    let flood = Flood::default();
    let measure = async {
        let during = timed(&stage, &mut others).await;
        flood.is_over.set(true);
        during
    };
    let (during, ()) = tokio::join!(measure, flood.pour(&stage, &ready));

    // The quota held the flood: of all that was valid, so much was included and no more.
    let client = stage.node().client();
    let tenant_name = Text::from(OrganizationSelector::Id(tenant.organization()));
    let usage = client.organization_get_usage(tenant_name, None).await.expect("it is known").value;
    assert_eq!((usage.quota, usage.reserved, usage.left), (QUOTA, RESERVED, Some(0)));
    assert_eq!(usage.used, QUOTA - RESERVED);
    let mut attested = 0;
    for meter in &tenants {
        attested += client.stream_get(Text(meter.stream()), None).await.expect("it is open").value.count.0;
    }
    // A grant, and for each device its registration and its stream, were the tenant's too.
    assert_eq!(attested + 1 + 2 * DEVICES, u64::from(QUOTA - RESERVED));
    let more = cairn_tests::calls::grant(
        Grantee::Organization(other.organization()),
        &[Action::Read],
        Scope::Device(tenants[0].id()),
    );
    let refused = stage.refused(tenant, Call::Grant(more), &[]).await;
    assert_eq!(refused.data.name, "QuotaExceeded");
    assert!(refused.message.contains("height 1000000"), "it says until when: {}", refused.message);
    // The last tenth stops harm: the tenant finds out which of its devices does that, and suspends it.
    stage.say(tenant, set_status(tenants[0].id(), DeviceStatus::Suspended), &[]).await;

    // The others did not wait.
    let (median_before, median_during) = (before[TIMED / 2], during[TIMED / 2]);
    println!(
        "submit to final, median of {TIMED}: {median_before:?} before the flood, {median_during:?} during it; slowest \
         {:?} and {:?}",
        before[TIMED - 1],
        during[TIMED - 1]
    );
    assert!(median_during <= median_before * SLOWER_MAX + FLOOR, "{median_before:?} became {median_during:?}");
    let usage = client.organization_get_usage(Text::from(OrganizationSelector::Id(other.organization())), None).await;
    assert_eq!(usage.expect("it is known").value.used, 3 + 2 * u32::try_from(TIMED).expect("small"));

    // What was included of the flood is as good as anything.
    let first = client.attestation_get(Text::from(AttestationSelector::Place(tenants[1].place(0))), None).await;
    let first = first.expect("it is final").value;
    let said = cairn_tests::Said { id: first.id.0, position: first.position.into() };
    let verdict = stage.valid("the first of the flood", said, &0u64.to_le_bytes()).await;
    assert_eq!(verdict.present.expect("reached").stream, PresentStream::Open);
    stage.network.assert_one_chain().await;
    stage.close();
}
