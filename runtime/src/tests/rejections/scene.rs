//! The scene of every case: a meter that attests, and everybody who might do something wrong.

use cairn_proofs::accumulator;
use cairn_types::call::{Grant, ReportFork, RotateOrganizationKeys, Supersede};
use cairn_types::governance::{Admit, Measure};
use cairn_types::lot::{Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::{
    Action, AttestationRef, Call, GrantId, Hash, KeySet, LotId, OrganizationInception, Role, SignedTransaction,
    StreamId, Transaction,
};

use crate::tests::world::{Actor, Device, Recoverable, World, accept, endorse, give, govern, offer, place, register};

/// The meter stands in `north`, attests there by `grant`, and has opened the stream `flow`.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) works: Actor,
    pub(super) contractor: Actor,
    pub(super) meter: Device,
    pub(super) grant: GrantId,
    pub(super) flow: StreamId,
}

impl Scene {
    pub(super) fn new() -> Self {
        let (mut world, meter, grant) = World::with_meter();
        let flow = world.opened(&meter, "flow", grant);
        Self { works: world.works.clone(), contractor: world.contractor.clone(), world, meter, grant, flow }
    }

    pub(super) fn by_works(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.works], call)
    }

    pub(super) fn by_contractor(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.contractor], call)
    }

    pub(super) fn by_meter(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.meter.actor()], call)
    }

    /// A good transaction of the works.
    pub(super) fn move_south(&self) -> Call {
        place(&self.meter, self.world.zone("south"), None)
    }

    /// The works make a grant like `terms`.
    pub(super) fn grant(&self, change: impl FnOnce(&mut Grant)) -> SignedTransaction {
        let mut terms = give(self.world.in_zone("north"), [Action::Attest], self.world.over_zone("north"));
        change(&mut terms);
        self.by_works(Call::Grant(terms))
    }

    /// The meter's next attestation, with a change.
    pub(super) fn attest(&self, change: impl FnOnce(&mut cairn_types::call::Attest)) -> SignedTransaction {
        let mut call = self.world.next(self.flow, "day 1", self.grant);
        let Call::Attest(attest) = &mut call else { unreachable!("next makes an attestation") };
        change(attest);
        self.by_meter(call)
    }

    /// A measure that the whole council signs.
    pub(super) fn by_council(&self, measure: Measure) -> SignedTransaction {
        self.world.transaction(&[&self.works, &self.contractor, &self.world.board], govern(measure))
    }

    /// The council admits an organization, with a change to how it begins.
    pub(super) fn admit(&self, change: impl FnOnce(&mut OrganizationInception)) -> SignedTransaction {
        let mut inception = Recoverable::called("newcomer").inception;
        change(&mut inception);
        self.by_council(Measure::Admit(Admit { inception, roles: [Role::Auditor].into_iter().collect() }))
    }

    pub(super) fn rotation(&self, keys: KeySet, by_recovery: bool) -> Call {
        let organization = self.works.organization();
        Call::RotateOrganizationKeys(RotateOrganizationKeys { organization, keys, next: None, by_recovery })
    }

    /// The meter becomes the contractor's.
    pub(super) fn sell(&mut self) {
        self.world.submit(&[&self.works], offer(&self.meter, Some(&self.contractor))).expect("offered");
        let accept = accept(&self.meter, self.contractor.zone("yard"));
        self.world.submit(&[&self.contractor], accept).expect("accepted");
    }

    /// The meter says something so many times.
    pub(super) fn say(&mut self, times: usize) {
        for _ in 0..times {
            let next = self.attest(|_| ());
            self.world.offer(next).expect("the meter may");
        }
    }

    pub(super) fn supersede(&self, sequence: u64, replacement: Option<u64>) -> Call {
        let place = |sequence| AttestationRef { stream: self.flow, sequence };
        Call::Supersede(Supersede { target: place(sequence), replacement: replacement.map(place) })
    }

    /// The contractor shows two things that the meter said at one place.
    pub(super) fn report(&self, one: &str, other: &str) -> SignedTransaction {
        let hash = |text: &str| cairn_types::ContentHash::plain(text.as_bytes());
        let one = self.attest(|attest| attest.content.hash = hash(one));
        let other = self.attest(|attest| {
            attest.content.hash = hash(other);
            attest.content.readings += 1;
        });
        let (first, second) = if one.id() < other.id() { (one, other) } else { (other, one) };
        let (first, second) = (first.bytes().to_vec(), second.bytes().to_vec());
        self.by_contractor(Call::ReportFork(ReportFork { first, second }))
    }

    /// The works endorse a lot with a root over one leaf that names no device, and says that it has `count`.
    pub(super) fn endorse(&mut self, count: u32) -> LotId {
        let root = accumulator::root_of(&[leaf().item()]);
        let id = self.world.submit(&[&self.works], endorse(LotBasis::Merkle { root, count })).expect("endorsed");
        LotId::of(&id)
    }

    /// A device of that label claims the leaf.
    pub(super) fn claim(&self, lot: LotId, label: &str) -> SignedTransaction {
        let device = Device::called(label);
        let LotLeaf { serial, salt, .. } = leaf();
        let ticket = LotEndorsement { lot, bound: false, serial, salt, index: 0, siblings: Vec::new() };
        let mut call = register(&device, &self.works, self.world.zone("north"));
        let Call::RegisterDevice(register) = &mut call else { unreachable!("register makes a registration") };
        register.endorsement = Some(Endorsement::Lot(ticket));
        self.world.transaction(&[&self.works, &device.actor()], call)
    }

    pub(super) fn with_body(&self, change: impl FnOnce(&mut cairn_types::Body)) -> SignedTransaction {
        let mut body = self.world.body(&self.works, self.move_south());
        change(&mut body);
        self.world.sign(&[&self.works], body)
    }

    /// A good transaction whose signatures are changed afterwards.
    pub(super) fn with_signatures(&self, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
        let mut transaction = self.by_works(self.move_south()).transaction().clone();
        change(&mut transaction);
        SignedTransaction::new(transaction)
    }
}

/// What the maker knows of a device that has no key yet.
fn leaf() -> LotLeaf {
    LotLeaf { device: None, serial: "4711".to_owned(), salt: [7; 32] }
}

pub(super) fn nobody() -> cairn_types::OrganizationId {
    cairn_types::OrganizationId::from_hash(Hash::plain(b"nobody"))
}

pub(super) fn no_grant() -> GrantId {
    GrantId::from_hash(Hash::plain(b"no grant"))
}
