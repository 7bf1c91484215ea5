//! A transaction of every call and of every variant within: body, id, signed message, signatures and leaf. Whether the
//! rules would take it plays no part; the signatures are real.

use cairn_types::call::*;
use cairn_types::governance::{Admit, Measure};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement};
use cairn_types::transaction::signed_message;
use cairn_types::{
    Action, Body, Call, ClaimedTime, Content, ContentForm, ContentHash, DeviceStatus, Grantee, Height, Principal, Role,
    Scope, Signature, SignedTransaction, Transaction, encode,
};
use serde_json::json;

use crate::Vector;
use crate::readable::Readable;
use crate::samples::*;

fn calls() -> Vec<(&'static str, Call)> {
    let since = Some(position(30, 2));
    let admit =
        Admit { inception: organization_inception(), roles: [Role::Council, Role::Operator].into_iter().collect() };
    let govern = |measure| Call::Govern(Govern { measure });
    let register = |endorsement, authority| {
        let (owner, inception) = (organization("water-works"), inception(&p256("device key")));
        Call::RegisterDevice(RegisterDevice { inception, owner, zone: zone("north/pump"), endorsement, authority })
    };
    let by_lot = Endorsement::Lot(LotEndorsement {
        lot: lot(),
        bound: true,
        serial: "SN-0001".to_owned(),
        salt: *word("salt").as_bytes(),
        index: 5,
        siblings: vec![word("sibling 0"), word("sibling 1")],
    });
    let by_certificate = Endorsement::Certificate(CertificateEndorsement {
        lot: lot(),
        chain: vec![b"a certificate in DER".to_vec(), b"and the next".to_vec()],
        signature: Some(sign(&p256("certified key"), b"a message")),
    });
    let grant_to = |grantee, scope, actions: &[Action], depth, parent| {
        Call::Grant(Grant { grantee, actions: self::actions(actions), scope, window: window(), depth, parent })
    };
    let attest = Attest {
        stream: stream(),
        sequence: 0,
        previous: transaction("open"),
        content: content(),
        claimed: None,
        derived_from: vec![],
        authority: grant("grant"),
    };
    let salted = ContentHash::salted(word("salt").as_bytes(), b"secret");
    let attest_all = Attest {
        sequence: 7,
        content: Content { form: ContentForm::Salted, hash: salted, bytes: 6, readings: 1 },
        claimed: Some(ClaimedTime { from_ms: -1, to_ms: 1_735_700_000_000 }),
        derived_from: vec![attestation(3), attestation(4)],
        ..attest.clone()
    };
    vec![
        ("Govern: admit", govern(Measure::Admit(admit))),
        ("Govern: expel", govern(Measure::Expel(organization("contractor")))),
        ("Govern: change validators", govern(Measure::ChangeValidators(validators()))),
        ("Govern: set parameters", govern(Measure::SetParameters(parameters()))),
        ("Govern: schedule an upgrade", govern(Measure::ScheduleUpgrade(Some(upgrade())))),
        ("Govern: call an upgrade off", govern(Measure::ScheduleUpgrade(None))),
        (
            "RotateOrganizationKeys",
            Call::RotateOrganizationKeys(RotateOrganizationKeys {
                organization: organization("water-works"),
                keys: key_set(),
                next: Some(commitment()),
                by_recovery: true,
            }),
        ),
        (
            "EndorseLot: Merkle",
            Call::EndorseLot(EndorseLot {
                basis: LotBasis::Merkle { root: word("lot root"), count: 100_000 },
                label: "flow meters, week 12".to_owned(),
            }),
        ),
        (
            "EndorseLot: issuer",
            Call::EndorseLot(EndorseLot {
                basis: LotBasis::Issuer { key: public(&p256("issuer")) },
                label: String::new(),
            }),
        ),
        ("DistrustLot", Call::DistrustLot(DistrustLot { lot: lot(), suspect_since: since })),
        ("RegisterDevice: unendorsed", register(None, None)),
        ("RegisterDevice: of a lot, by a grantee", register(Some(by_lot), Some(grant("grant")))),
        ("RegisterDevice: with certificates", register(Some(by_certificate), None)),
        (
            "RotateDeviceKey",
            Call::RotateDeviceKey(RotateDeviceKey { device: device(), key: public(&p256("next")), next: commitment() }),
        ),
        (
            "RecoverDeviceKey",
            Call::RecoverDeviceKey(RecoverDeviceKey {
                device: device(),
                key: public(&ed25519("recovered")),
                next: commitment(),
                suspect_since: since,
            }),
        ),
        ("CancelRecovery", Call::CancelRecovery(CancelRecovery { device: device() })),
        ("OfferDevice", Call::OfferDevice(OfferDevice { device: device(), to: Some(organization("contractor")) })),
        ("OfferDevice: withdrawn", Call::OfferDevice(OfferDevice { device: device(), to: None })),
        ("AcceptDevice", Call::AcceptDevice(AcceptDevice { device: device(), zone: zone("stock") })),
        (
            "PlaceDevice",
            Call::PlaceDevice(PlaceDevice { device: device(), zone: zone("a/b/c/d/e/f/g/h"), authority: None }),
        ),
        (
            "SetDeviceStatus",
            Call::SetDeviceStatus(SetDeviceStatus {
                device: device(),
                status: DeviceStatus::Revoked,
                suspect_since: since,
            }),
        ),
        (
            "Grant: to a zone, over a zone",
            grant_to(Grantee::Zone(zone("north")), Scope::Zone(zone("")), &[Action::Attest], 0, None),
        ),
        (
            "Grant: to an organization, over a device, to be passed on",
            grant_to(
                Grantee::Organization(organization("contractor")),
                Scope::Device(device()),
                &Action::ALL,
                3,
                Some(grant("parent")),
            ),
        ),
        (
            "Grant: to a device, over a stream",
            grant_to(Grantee::Device(device()), Scope::Stream(stream()), &[Action::Read], 0, Some(grant("parent"))),
        ),
        ("RevokeGrant", Call::RevokeGrant(RevokeGrant { grant: grant("grant"), suspect_since: None })),
        (
            "OpenStream",
            Call::OpenStream(OpenStream {
                name: "flow".parse().expect("a valid name"),
                cadence_s: Some(900),
                authority: grant("grant"),
            }),
        ),
        ("CloseStream", Call::CloseStream(CloseStream { stream: stream() })),
        ("Attest", Call::Attest(attest)),
        ("Attest: salted, derived, with a claimed time", Call::Attest(attest_all)),
        ("Supersede", Call::Supersede(Supersede { target: attestation(3), replacement: Some(attestation(8)) })),
        (
            "ReportFork",
            Call::ReportFork(ReportFork { first: b"one transaction".to_vec(), second: b"and another".to_vec() }),
        ),
    ]
}

/// All of them. Devices sign with P-256, organizations with Ed25519; a registration and a recovery have both signatures.
pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, call) in calls() {
        let by_device = call.is_stream_call() || matches!(call, Call::RotateDeviceKey(_) | Call::Supersede(_));
        let by_both = matches!(call, Call::RegisterDevice(_) | Call::RecoverDeviceKey(_));
        let organization = (Principal::Organization(organization("water-works")), ed25519("organization key"));
        let device = (Principal::Device(device()), p256("device key"));
        let expires = if call.is_stream_call() { None } else { Some(Height::new(2_000)) };
        let signers = match (by_device, by_both) {
            (true, _) => vec![device],
            (_, true) => vec![organization, device],
            _ => vec![organization],
        };
        let tag = encode(&call)[0];
        let body = Body { chain: chain(), signer: signers[0].0, not_before: not_before(), expires, call };
        let message = signed_message(&body.id());
        let signatures = signers
            .iter()
            .map(|(signer, secret)| Signature { signer: *signer, key: 0, bytes: sign(secret, &message) })
            .collect();
        for (signer, (_, secret)) in signers.iter().enumerate() {
            let signature = sign(secret, &message);
            assert_eq!(public(secret).verify(&message, &signature), Ok(()), "{name}, signer {signer}");
        }
        let keys: Vec<_> = signers.iter().map(|(_, secret)| public(secret).readable()).collect();
        let transaction = Transaction { body, signatures };
        let signed = SignedTransaction::new(transaction.clone());
        assert_eq!(SignedTransaction::from_bytes(signed.bytes().to_vec()), Ok(signed.clone()), "{name}");
        vectors.push(vec![
            ("name", json!(name)),
            ("tag", json!(tag)),
            ("value", transaction.readable()),
            ("body", json!(hex::encode(encode(&transaction.body)))),
            ("id", signed.id().readable()),
            ("message", json!(hex::encode(message))),
            ("keys", json!(keys)),
            ("encoding", json!(hex::encode(signed.bytes()))),
            ("leaf", signed.leaf().readable()),
        ]);
    }
    let tags: std::collections::BTreeSet<u64> = vectors.iter().filter_map(|vector| vector[1].1.as_u64()).collect();
    assert!(tags.into_iter().eq(0..=18), "a call without a vector");
    vectors
}
