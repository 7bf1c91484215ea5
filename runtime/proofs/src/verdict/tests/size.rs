//! How large a bundle is in a ledger of ordinary size, and how long it takes to judge.

use std::time::Instant;

use cairn_types::record::GrantTerms;
use cairn_types::{Action, Grantee, Hash, Principal, Scope, state_key};

use super::super::{Outcome, verify_bytes};
use super::ledger::{Ledger, organization, zone, zone_attests};
use super::{DAY, expecting};
use crate::bundle::Bundle;

/// What the issue allows, without the signed attestation.
const BYTES_MAX: usize = 8_000;

#[test]
fn a_bundle_from_a_ledger_of_a_thousand_blocks_and_a_hundred_thousand_keys_is_small() {
    let mut ledger = Ledger::new(1, &["works", "operator", "city", "maker", "auditor"]);
    // 12,200 meters with a stream each: 8 keys for each of them.
    let over_zone = ledger.grant(zone_attests("works", "north"));
    for number in 0..12_200 {
        let meter = ledger.register(&format!("meter-{number}"), "works", "north/pump");
        ledger.open_stream(&meter, "flow", over_zone, None);
        if number % 10 == 0 {
            ledger.grant(GrantTerms { scope: Scope::Device(meter.id), ..zone_attests("works", "north") });
        }
    }
    ledger.seal();
    let meter = ledger.register("meter", "works", "north/pump");
    let scope = Scope::Zone(zone("works", "north"));
    let top = ledger.grant(GrantTerms {
        grantee: Grantee::Organization(organization("operator")),
        actions: [Action::Attest, Action::Delegate].into_iter().collect(),
        scope: scope.clone(),
        depth: 1,
        ..zone_attests("works", "north")
    });
    let leaf = ledger.grant(GrantTerms {
        grantor: Principal::Organization(organization("operator")),
        parent: Some(top),
        ..zone_attests("works", "north")
    });
    let direct = ledger.open_stream(&meter, "direct", over_zone, Some(3_600));
    let delegated = ledger.open_stream(&meter, "delegated", leaf, Some(3_600));
    ledger.seal();
    for number in 0_u32..1_000 {
        let seen = ledger.tip_ref();
        for _ in 0..20 {
            ledger.other_transaction();
        }
        let filler = Hash::plain(&number.to_le_bytes());
        ledger.put(state_key::remembered(seen.height, &cairn_types::TransactionId::from_hash(filler)), &());
        if number == 500 {
            let days = [&direct, &delegated].map(|stream| ledger.attest(stream, DAY, seen));
            ledger.seal();
            for (day, name) in days.iter().zip(["direct", "delegated"]) {
                println!("checkpoint in the attestation's block, {name}: {}", measure(&ledger, ledger.bundle(day)));
            }
        } else if number % 4 == 0 {
            for stream in [&direct, &delegated] {
                ledger.attest(stream, DAY, seen);
            }
            ledger.seal();
        } else {
            ledger.seal();
        }
    }
    let seen = ledger.block_ref(ledger.tip().get() - 20);
    let days = [&direct, &delegated].map(|stream| ledger.attest(stream, DAY, seen));
    ledger.seal_many(5);
    println!("{} blocks, {} keys", ledger.tip().get() + 1, ledger.state_len());
    assert!(ledger.state_len() >= 100_000);
    for (day, name) in days.iter().zip(["one grant", "two grants"]) {
        println!("{name}: {}", measure(&ledger, ledger.bundle(day)));
    }
}

fn measure(ledger: &Ledger, bundle: Bundle) -> String {
    let bytes = bundle.encode();
    let own = bytes.len() - bundle.transaction.len();
    let expectations = expecting(ledger);
    let started = Instant::now();
    const RUNS: u32 = 20;
    for _ in 0..RUNS {
        assert_eq!(verify_bytes(&bytes, &expectations).outcome, Outcome::Valid);
    }
    let each = started.elapsed() / RUNS;
    assert!(own <= BYTES_MAX, "{own} bytes");
    let proofs = |proofs: &[crate::tree::StateProof]| proofs.iter().map(|p| p.encode().len()).sum::<usize>();
    format!(
        "{own} bytes and {} of attestation, judged in {each:?}; device {}, stream {}, grants {}, organizations {}",
        bundle.transaction.len(),
        bundle.device.encode().len(),
        bundle.stream.encode().len(),
        proofs(&bundle.grants),
        proofs(&bundle.organizations),
    )
}
