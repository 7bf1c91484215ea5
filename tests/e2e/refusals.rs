//! What is wrong is refused, each with its own name and code, and changes nothing.

use cairn_tests::actor::{self, Writing};
use cairn_tests::{Network, Signed};
use cairn_types::{Body, ChainId, DeviceStatus, Hash, Height, Rejection};

use crate::fleet::Fleet;

#[tokio::test]
async fn each_wrong_transaction_has_its_own_error_and_changes_nothing() {
    let network = Network::start(4, 0, &["--heartbeat-ms", "60000"]).await;
    let node = &network.nodes[0];
    let chain = network.chain;
    let mut fleet = Fleet::on(&network, 11).await;
    let tip = node.tip().await;
    let first = fleet.writing.attest(chain, &fleet.device, tip, b"first");
    node.finalize(&first).await;
    let tip = node.tip().await;
    let place = |path: &str| actor::place(fleet.device.device(), actor::zone(fleet.owner_id(), path));

    let mut cases: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut case = |name, transaction: &Signed| cases.push((name, transaction.bytes().to_vec()));

    case("Duplicate", &first);
    let other_chain = ChainId::from_hash(Hash::plain(b"another network"));
    case("WrongChain", &actor::sign(other_chain, &fleet.owner, tip, place("plant/line-2"), &[]));

    let body = |expires: Option<u64>| Body {
        chain,
        signer: fleet.owner.principal,
        not_before: tip,
        expires: expires.map(Height::new),
        call: place("plant/line-2"),
    };
    case("Expired", &actor::sign_body(body(Some(1)), &[&fleet.owner]));
    case("ExpiryMissing", &actor::sign_body(body(None), &[&fleet.owner]));
    case("LifetimeTooLong", &actor::sign_body(body(Some(1_000_000)), &[&fleet.owner]));
    case("SignatureMissing", &actor::sign_body(body(Some(500)), &[]));
    let impostor = cairn_tests::Actor { principal: fleet.owner.principal, key: actor::key(666) };
    case("SignatureInvalid", &actor::sign_body(body(Some(500)), &[&impostor]));
    case("SignatureUnexpected", &actor::sign_body(body(Some(500)), &[&fleet.owner, &fleet.device]));
    let stranger = &network.organizations[2];
    case("Unauthorized", &actor::sign(chain, stranger, tip, place("plant/line-2"), &[]));
    case("PlacementUnchanged", &actor::sign(chain, &fleet.owner, tip, place(crate::fleet::ZONE), &[]));

    // A device outside the zone holds no grant: it cannot even open a stream.
    let outside = actor::device(12);
    let call = actor::register(12, fleet.owner_id(), actor::zone(fleet.owner_id(), "depot"));
    let registered = actor::sign(chain, &fleet.owner, tip, call.clone(), &[&outside]);
    node.finalize(&registered).await;
    case("GrantNotHeld", &Writing::open(chain, &outside, tip, "readings", fleet.grant).0);
    case("DeviceExists", &actor::sign(chain, &fleet.owner, node.tip().await, call, &[&outside]));
    case("Duplicate", &registered);

    let mut gap = fleet.writing.clone();
    gap.sequence += 1;
    case("SequenceNotNext", &gap.attest(chain, &fleet.device, tip, b"later"));
    let mut fork = fleet.writing.clone();
    fork.previous = registered.id();
    case("PreviousNotHead", &fork.attest(chain, &fleet.device, tip, b"other"));
    let future = cairn_types::BlockRef { height: Height::new(9_999), hash: tip.hash };
    case("NotBeforeUnknown", &fleet.writing.clone().attest(chain, &fleet.device, future, b"future"));

    let again = actor::set_status(fleet.device.device(), DeviceStatus::Active);
    case("StatusTransition", &actor::sign(chain, &fleet.owner, tip, again, &[]));

    cases.push(("Malformed", b"not a transaction".to_vec()));
    let mut trailing = first.bytes().to_vec();
    trailing.push(0);
    cases.push(("Malformed", trailing));
    cases.push(("Oversized", vec![0; 40_000]));

    let height = node.height().await;
    for (name, bytes) in &cases {
        assert_eq!(node.submit_bytes(bytes.clone()).await, Err((*name).to_owned()));
        assert!(Rejection::TABLE.iter().any(|(_, known)| known == name), "{name} has a code");
    }
    // Nothing was taken, so nothing was proposed.
    assert_eq!(node.height().await, height);
    // And the stream goes on where it was.
    let next = fleet.writing.attest(chain, &fleet.device, tip, b"second");
    node.finalize(&next).await;
    network.assert_one_chain().await;
}

#[tokio::test]
async fn whoever_has_seen_a_block_may_build_on_it_at_once() {
    let network = Network::start(4, 0, &[]).await;
    let node = &network.nodes[0];
    let mut fleet = Fleet::on(&network, 41).await;
    for number in 0..200u64 {
        let tip = node.tip().await;
        let attested = fleet.writing.attest(network.chain, &fleet.device, tip, &number.to_le_bytes());
        assert_eq!(node.submit(&attested).await, Ok(()), "number {number}, after block {}", tip.height);
        node.wait_for(&attested).await;
    }
}
