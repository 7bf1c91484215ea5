//! A manufacturer vouches for a production lot, and takes its trust back.

use std::time::Instant;

use cairn_proofs::accumulator::{prove_in, root_of};
use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{EndorsementTrust, LaterEvent, Verdict};
use cairn_rpc::views::Text;
use cairn_tests::actor::{self, register};
use cairn_tests::stage::{Stage, zone_of};
use cairn_tests::{Actor, calls};
use cairn_types::call::RegisterDevice;
use cairn_types::lot::{Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::{Call, DeviceId, Hash, LotId, Position};

/// Devices of the lot.
const DEVICES: u32 = 100_000;

/// Which one is claimed, and the one that names no device: whoever first shows its serial number has it.
const CLAIMED: u32 = 31_415;
const UNBOUND: u32 = 92_653;

const READING: &[u8] = b"flow 1.2";

/// What the manufacturer knows of its devices.
struct Factory {
    items: Vec<Hash>,
    lot: Option<LotId>,
}

impl Factory {
    /// The devices that scenarios register are those of these seeds.
    const SEED: u64 = 70;

    fn leaf(number: u32) -> LotLeaf {
        let serial = format!("FM-{number:06}");
        let salt = *Hash::plain(format!("salt of {serial}").as_bytes()).as_bytes();
        // The factory made a key in each device; the test makes those that it registers.
        let device = match number {
            CLAIMED => Some(actor::device(Self::SEED).device()),
            UNBOUND => None,
            other => Some(DeviceId::from_hash(Hash::plain(&other.to_le_bytes()))),
        };
        LotLeaf { device, serial, salt }
    }

    fn new() -> Self {
        Self { items: (0..DEVICES).map(|number| Self::leaf(number).item()).collect(), lot: None }
    }

    fn basis(&self) -> LotBasis {
        LotBasis::Merkle { root: root_of(&self.items), count: DEVICES }
    }

    /// What comes with a device in its box.
    fn ticket(&self, number: u32) -> LotEndorsement {
        let leaf = Self::leaf(number);
        let proof = prove_in(&self.items, u64::from(number)).expect("it is in the lot");
        LotEndorsement {
            lot: self.lot.expect("it is endorsed"),
            bound: leaf.device.is_some(),
            serial: leaf.serial,
            salt: leaf.salt,
            index: number,
            siblings: proof.siblings,
        }
    }

    /// The registration of the device of `seed` with the ticket of a number.
    fn claim(&self, seed: u64, owner: &Actor, number: u32) -> Call {
        let endorsement = Some(Endorsement::Lot(self.ticket(number)));
        match register(seed, owner.organization(), zone_of(owner, "plant")) {
            Call::RegisterDevice(call) => Call::RegisterDevice(RegisterDevice { endorsement, ..call }),
            other => other,
        }
    }
}

fn trust(verdict: &Verdict) -> EndorsementTrust {
    verdict.device.as_ref().expect("reached").endorsement.as_ref().expect("it is endorsed").trust
}

#[tokio::test]
async fn scenario_one_transaction_endorses_100_000_devices_one_is_claimed_once_and_the_lot_is_distrusted() {
    let stage = Stage::open(&[]).await;
    let (maker, owner) = (stage.maker(), stage.works());
    let began = Instant::now();
    let mut factory = Factory::new();
    let endorse = stage.signed(maker, calls::endorse(factory.basis(), "FM-100, week 7"), &[]).await;
    println!("{DEVICES} devices in {} bytes, made in {:?}", endorse.bytes().len(), began.elapsed());
    assert!(endorse.bytes().len() < 400, "one transaction of {} bytes", endorse.bytes().len());
    stage.finalize(&endorse).await;
    let lot = LotId::of(&endorse.id());
    factory.lot = Some(lot);

    let client = stage.node().client();
    let answer = client.lot_get(Text(lot), None).await.expect("it is endorsed").value;
    assert_eq!((answer.claimed, answer.lot.manufacturer.0), (0, maker.organization()));

    // A device of the lot is claimed; from then on, and not before, its serial number is known.
    let (device, other) = (actor::device(Factory::SEED), actor::device(Factory::SEED + 1));
    stage.say(owner, factory.claim(Factory::SEED, owner, CLAIMED), &[&device]).await;
    let stolen = stage.refused(owner, factory.claim(Factory::SEED + 1, owner, CLAIMED), &[&other]).await;
    assert_eq!(stolen.data.name, "EndorsementInvalid", "that ticket names another device");
    let claims = client.lot_get_claims(Text(lot), None, None, None).await.expect("it is endorsed").items;
    let serials: Vec<&str> = claims.iter().map(|claim| claim.serial.as_str()).collect();
    assert_eq!(serials, [Factory::leaf(CLAIMED).serial]);
    let endorsement = stage.device(device.device()).await.endorsement.expect("it is endorsed");
    assert_eq!((endorsement.lot.0, endorsement.trusted), (lot, true));

    // A ticket that names no device is the first one's who shows it, and nobody's after that.
    let first = stage.say(owner, factory.claim(Factory::SEED + 1, owner, UNBOUND), &[&other]).await;
    let late = actor::device(Factory::SEED + 2);
    let second = stage.refused(owner, factory.claim(Factory::SEED + 2, owner, UNBOUND), &[&late]).await;
    assert_eq!(second.data.name, "LotPlaceClaimed");
    assert!(second.message.contains(&other.device().to_string()), "{}", second.message);

    let grant = stage.zone_grant(owner, "plant").await;
    let mut meter = stage.stream(Factory::SEED, device, "readings", None, grant).await;
    let said = stage.attest(&mut meter, READING).await;
    let verdict = stage.valid("said by a device of a trusted lot", said, READING).await;
    assert_eq!(trust(&verdict), EndorsementTrust::Trusted);

    // The manufacturer finds out that the lot is bad, from the second claim on.
    assert_eq!(stage.refused(owner, calls::distrust(lot, None), &[]).await.data.name, "SignerNotEntitled");
    let distrusted = stage.say(maker, calls::distrust(lot, Some(first.position)), &[]).await.position;
    let refused = stage.refused(owner, factory.claim(Factory::SEED + 2, owner, CLAIMED + 1), &[&late]).await;
    assert_eq!(refused.data.name, "LotDistrusted");

    // The fact stays, and the verdict says so: this device claimed its place before the doubt begins.
    let endorsement = stage.device(meter.id()).await.endorsement.expect("the fact stays");
    assert_eq!((endorsement.trusted, endorsement.manufacturer.0), (false, maker.organization()));
    assert_eq!(endorsement.distrusted.map(Position::from), Some(distrusted));
    let verdict = stage.valid("said by a device of a lot that is distrusted now", said, READING).await;
    let endorsement = verdict.device.as_ref().expect("reached").endorsement.as_ref().expect("the fact stays");
    assert_eq!((endorsement.lot, endorsement.serial.clone()), (lot, Factory::leaf(CLAIMED).serial));
    assert_eq!(trust(&verdict), EndorsementTrust::Distrusted { since: distrusted });
    let later = verdict.later.as_ref().expect("reached");
    let ended = LaterEvent::LotDistrusted { lot, suspect_since: Some(first.position) };
    assert!(later.iter().any(|later| later.event == ended && later.position == distrusted), "{later:?}");
    // The other one claimed its place in the time that is in doubt.
    let mut doubted = stage.stream(Factory::SEED + 1, other.clone(), "readings", None, grant).await;
    let said = stage.attest(&mut doubted, READING).await;
    let verdict = stage.valid("said by a device whose claim is in doubt", said, READING).await;
    assert_eq!(trust(&verdict), EndorsementTrust::Suspect { since: first.position });

    let Answer::Lot(Some(file)) = stage.look_up(Question::Lot(lot)).await else { panic!("the lot is known") };
    let mut devices: Vec<_> = file.claims.iter().map(|(_, device)| *device).collect();
    let mut expected = vec![meter.id(), other.device()];
    devices.sort();
    expected.sort();
    assert_eq!((devices, file.lot.to), (expected, Some(distrusted)));
    stage.close();
}
