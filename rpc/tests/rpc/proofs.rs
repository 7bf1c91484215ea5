//! What the interface calls a proof is one: it verifies against what a caller knows already.

use cairn_proofs::accumulator::InclusionProof;
use cairn_proofs::tree::{Query, StateProof};
use cairn_proofs::verdict::{Expectations, Outcome, verify_bytes};
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::transaction::leaf_of;
use cairn_types::{BlockRef, Certificate, Header, Height, decode, state_key};

use cairn_rpc::views::{Hex, Text};

use crate::backend::Served;
use crate::world::MONDAY;

/// Checks an encoded header and certificate as somebody would who knows the network and its validators.
fn certified(served: &Served, header: &Hex, certificate: &Option<Hex>) -> Header {
    let ledger = &served.world().ledger;
    let header: Header = decode(&header.0, 1024).expect("a header");
    let certificate = certificate.as_ref().expect("not block 0");
    let certificate: Certificate = decode(&certificate.0, CERTIFICATE_BYTES_MAX).expect("a certificate");
    certificate
        .verify(&ledger.chain, header.height, &header.hash(), &ledger.validators)
        .expect("more than two thirds signed");
    header
}

#[tokio::test]
async fn a_list_and_an_absence_verify_against_the_certified_header() {
    let served = Served::new().await;
    let world = served.world();
    let prefix = state_key::device(&world.meter);
    let answer = served.client.proof_get_state(Text(prefix.clone()), Some(true), None).await.unwrap().value;
    let header = certified(&served, &answer.encoded_header, &answer.encoded_certificate);
    let proof = StateProof::decode(&answer.proof.0).expect("a proof");
    let proven = proof.verify(&header.state_root, &Query::prefix(&prefix)).expect("it verifies");
    assert_eq!(proven.entries().len(), 5, "record, key, owner, status, placement");
    assert_eq!(answer.entries, 5);

    let nobody = b"\x04nobody".to_vec();
    let answer = served.client.proof_get_state(Text(nobody.clone()), None, None).await.unwrap().value;
    let proof = StateProof::decode(&answer.proof.0).expect("a proof");
    assert!(proof.verify(&header.state_root, &Query::key(&nobody)).expect("it verifies").is_absent());
    assert_eq!(answer.entries, 0);
}

#[tokio::test]
async fn a_transaction_is_proven_to_be_in_its_certified_block() {
    let served = Served::new().await;
    let week = &served.world().attestations[2];
    let answer = served.client.proof_get_transaction(Text(week.id()), None).await.unwrap().value;
    let header = certified(&served, &answer.encoded_header, &answer.encoded_certificate);
    let inclusion: InclusionProof = decode(&answer.inclusion.0, 4096).expect("a proof");
    assert_eq!(answer.encoded.0, week.bytes());
    assert_eq!(inclusion.index, u64::from(answer.position.index));
    inclusion
        .verify(&leaf_of(&answer.encoded.0), answer.transactions.into(), &header.tx_root)
        .expect("the block holds it");
}

#[tokio::test]
async fn a_bundle_is_judged_offline() {
    let served = Served::new().await;
    let world = served.world();
    let first = Text::from(world.attestations[0].id());
    let answer = served.client.audit_bundle(first, None, None).await.unwrap().value;
    assert_eq!(usize::try_from(answer.bytes).unwrap(), answer.bundle.0.len());
    assert_eq!(answer.attestation.0, world.place(0));
    let expectations = Expectations::of(world.ledger.chain).with_content(MONDAY);
    let verdict = verify_bytes(&answer.bundle.0, &expectations);
    assert_eq!(verdict.outcome, Outcome::Valid, "{:?}", verdict.reasons);

    // With an anchor it reaches a block that it would not show otherwise.
    let views = &world.ledger.views;
    let judged = |bundle: &[u8], trusted: BlockRef| {
        verify_bytes(bundle, &Expectations { trusted: Some(trusted), ..expectations.clone() }).outcome
    };
    let mut refs = views.iter().map(|view| BlockRef { height: view.header.height, hash: view.hash });
    let hidden = refs.rfind(|block| judged(&answer.bundle.0, *block) == Outcome::Incomplete);
    let anchor = hidden.expect("a bundle shows few blocks");
    let anchored = served.client.audit_bundle(first, Some(Text(anchor.height)), None).await.unwrap().value;
    assert_eq!(judged(&anchored.bundle.0, anchor), Outcome::Valid);
    let beyond = Height::new(world.ledger.tip().height.get() + 1);
    let refused = served.client.audit_bundle(first, Some(Text(beyond)), None).await.unwrap_err();
    assert_eq!(refused.name(), Some("HeightUnknown"));
}
