//! What is kept without being tried is what trying everything would have kept: random blocks on two pools, of which one tries
//! everything after each.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_runtime::CheckDirectly;
use cairn_types::call::{Attest, Grant, OpenStream, PlaceDevice, RevokeGrant, SetDeviceStatus};
use cairn_types::{
    Action, Call, Content, ContentForm, ContentHash, DeviceId, DeviceStatus, GrantId, Grantee, Height, Principal,
    Scope, SignedTransaction, StreamId, TransactionId, Window, Zone,
};

use super::KEPT_BLOCKS_MAX;
use crate::chain::Snapshot;
use crate::ledger;
use crate::mempool::Mempool;
use crate::signature_cache::SignatureCache;
use crate::testing::{Actor, World, sign_until};

/// Numbers that a seed determines (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).expect("below a count")
    }

    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A stream and everything that was said in it, whether or not anybody took it.
struct Talk {
    device: usize,
    name: String,
    /// At each sequence, what may be said there next rests on one of these.
    said: Vec<Vec<TransactionId>>,
}

/// Devices that speak, and organizations that now and then stop them.
struct Story {
    world: World,
    random: Random,
    devices: Vec<Actor>,
    grants: Vec<GrantId>,
    talks: Vec<Talk>,
    registered: u8,
    number: u64,
    /// Whether grants may end by themselves, which the pool need not notice at once.
    with_windows: bool,
}

fn id_of(device: &Actor) -> DeviceId {
    match device.principal {
        Principal::Device(id) => id,
        Principal::Organization(_) => panic!("a device"),
    }
}

impl Story {
    fn new(seed: u64, with_windows: bool) -> Self {
        let mut world = World::new();
        world.commit(Vec::new());
        let made: Vec<(Actor, SignedTransaction)> =
            (0..4).map(|index| world.register(index % 3, 50 + index as u8)).collect();
        let (devices, registrations): (Vec<Actor>, Vec<SignedTransaction>) = made.into_iter().unzip();
        world.commit(registrations);
        let mut story = Self {
            world,
            random: Random(seed),
            devices,
            grants: Vec::new(),
            talks: Vec::new(),
            registered: 0,
            number: 0,
            with_windows,
        };
        for device in 0..4 {
            let grant = story.grant(device, Window::ALWAYS);
            story.grants.push(GrantId::of(&grant.id()));
            story.world.commit(vec![grant]);
        }
        story
    }

    fn sign(&mut self, call: Call, signers: &[Actor], is_short: bool) -> SignedTransaction {
        let tip = self.world.tip();
        let lifetime = if is_short { 1 + self.random.below(4) as u64 } else { 500 };
        let expires = Some(Height::new(tip.header.height.get() + lifetime));
        let signers: Vec<&Actor> = signers.iter().collect();
        sign_until(self.world.genesis.chain, &tip, call, &signers, expires)
    }

    fn owner(&self, device: usize) -> Actor {
        self.world.organizations[device % 3].clone()
    }

    fn grant(&mut self, device: usize, window: Window) -> SignedTransaction {
        let zone = Zone { organization: self.world.organization(device % 3), path: "site".parse().expect("a path") };
        let call = Call::Grant(Grant {
            grantee: Grantee::Device(id_of(&self.devices[device])),
            actions: [Action::Attest].into_iter().collect(),
            scope: if self.random.once_in(2) { Scope::Device(id_of(&self.devices[device])) } else { Scope::Zone(zone) },
            window,
            depth: 0,
            parent: None,
        });
        let owner = self.owner(device);
        self.sign(call, &[owner], false)
    }

    /// The next thing that somebody wants to say.
    fn next(&mut self) -> SignedTransaction {
        let device = self.random.below(self.devices.len());
        let (actor, id) = (self.devices[device].clone(), id_of(&self.devices[device]));
        let is_short = self.random.once_in(10);
        match self.random.below(100) {
            0..6 => {
                self.number += 1;
                let name = format!("stream-{}", self.number / 2);
                let call =
                    OpenStream { name: name.parse().expect("a name"), cadence_s: None, authority: self.grants[device] };
                let opened = self.sign(Call::OpenStream(call), &[actor], is_short);
                self.talks.push(Talk { device, name, said: vec![vec![opened.id()]] });
                opened
            }
            6..9 => {
                self.registered += 1;
                let owner = usize::from(self.registered % 3);
                self.world.register(owner, 60 + self.registered % 30).1
            }
            9..12 => {
                let end = self.world.tip().header.height.get() + 2 + self.random.below(4) as u64;
                let ends = self.with_windows && self.random.once_in(2);
                let window = Window { from: Height::GENESIS, to: ends.then(|| Height::new(end)) };
                let grant = self.grant(device, window);
                self.grants[device] = GrantId::of(&grant.id());
                grant
            }
            12 => {
                let owner = self.owner(device);
                let status = if self.random.once_in(2) { DeviceStatus::Suspended } else { DeviceStatus::Active };
                let call = Call::SetDeviceStatus(SetDeviceStatus { device: id, status, suspect_since: None });
                self.sign(call, &[owner], is_short)
            }
            13 => {
                let owner = self.owner(device);
                let call = Call::RevokeGrant(RevokeGrant { grant: self.grants[device], suspect_since: None });
                self.sign(call, &[owner], is_short)
            }
            14 => {
                let owner = self.owner(device);
                let path = if self.random.once_in(2) { "site" } else { "other" };
                let zone =
                    Zone { organization: self.world.organization(device % 3), path: path.parse().expect("a path") };
                let call = Call::PlaceDevice(PlaceDevice { device: id, zone, authority: None });
                self.sign(call, &[owner], is_short)
            }
            _ if self.talks.is_empty() => self.next(),
            _ => self.attest(is_short),
        }
    }

    /// The next attestation of a stream; sometimes a second one of the same place.
    fn attest(&mut self, is_short: bool) -> SignedTransaction {
        let index = self.random.below(self.talks.len());
        let (device, name) = (self.talks[index].device, self.talks[index].name.clone());
        let again = usize::from(self.random.once_in(8) && self.talks[index].said.len() > 1);
        let sequence = self.talks[index].said.len() - 1 - again;
        let heads = self.talks[index].said[sequence].clone();
        let previous = heads[self.random.below(heads.len())];
        self.number += 1;
        let content = Content {
            form: ContentForm::Plain,
            hash: ContentHash::plain(&self.number.to_le_bytes()),
            bytes: 8,
            readings: 1,
        };
        let call = Call::Attest(Attest {
            stream: StreamId::of(&id_of(&self.devices[device]), &name.parse().expect("a name")),
            sequence: sequence as u64,
            previous,
            content,
            claimed: None,
            derived_from: Vec::new(),
            authority: self.grants[device],
        });
        let actor = self.devices[device].clone();
        let said = self.sign(call, &[actor], is_short);
        let talk = &mut self.talks[index];
        match talk.said.get_mut(sequence + 1) {
            Some(there) => there.push(said.id()),
            None => talk.said.push(vec![said.id()]),
        }
        said
    }

    /// A block of some of what waits, and of what nobody here has heard of, in any order in which it is valid.
    fn block(&mut self, pool: &Mempool) -> (Arc<Snapshot>, Vec<Arc<SignedTransaction>>) {
        let mut candidates = pool.candidates();
        let keep = self.random.below(candidates.len() + 1);
        match self.random.below(3) {
            0 => candidates.truncate(keep),
            1 => {
                let mut place = 0;
                let seed = self.random.next();
                candidates.retain(|_| {
                    place += 1;
                    seed.rotate_left(place) & 1 == 1
                });
            }
            _ => {}
        }
        for _ in 0..self.random.below(4) {
            let foreign = Arc::new(self.next());
            candidates.insert(self.random.below(candidates.len() + 1), foreign);
        }
        let now_ms = self.world.tip().header.time_ms + 1;
        let built = ledger::build(self.world.chain(), &CheckDirectly, 0, now_ms, candidates);
        let (block, _) = built.expect("readable");
        let certificate = self.world.certify(block.header.height, &block);
        let included = block.transactions.clone();
        (self.world.ledger.commit(block, certificate).expect("the disk takes it"), included)
    }
}

fn waiting(pool: &Mempool) -> BTreeSet<TransactionId> {
    pool.candidates().iter().map(|transaction| transaction.id()).collect()
}

/// Runs a story on a pool that keeps and on one that tries everything; how often the first one kept.
fn run(seed: u64, blocks: u32, with_windows: bool) -> u32 {
    let mut story = Story::new(seed, with_windows);
    let pool = || Mempool::new(Arc::clone(story.world.chain()), Arc::new(SignatureCache::default()));
    let (keeping, trying) = (pool(), pool());
    let (mut kept, mut apart) = (0, 0);
    for block in 0..blocks {
        for _ in 0..story.random.below(20) {
            let transaction = Arc::new(story.next());
            let outcomes =
                [&keeping, &trying].map(|pool| pool.add(Arc::clone(&transaction)).map_err(|e| e.to_string()));
            // What waits too long here may stand in somebody's way, until everything is tried.
            assert!(with_windows || outcomes[0] == outcomes[1], "seed {seed}, block {block}: {outcomes:?}");
        }
        let (tip, included) = story.block(&trying);
        keeping.follow(Arc::clone(&tip), &included).expect("readable");
        trying.follow_by_trying(tip, &included).expect("readable");
        let has_kept = keeping.kept_blocks() > 0;
        kept += u32::from(has_kept);
        let (fast, slow) = (waiting(&keeping), waiting(&trying));
        assert_eq!((keeping.size().0, trying.size().0), (fast.len(), slow.len()));
        if !with_windows {
            assert_eq!(fast, slow, "seed {seed}, block {block}");
        }
        apart = if fast == slow || !has_kept { 0 } else { apart + 1 };
        assert!(apart <= KEPT_BLOCKS_MAX, "seed {seed}, block {block}: {} and {} wait", fast.len(), slow.len());
    }
    kept
}

#[test]
fn what_is_kept_untried_is_what_trying_everything_keeps() {
    let kept: u32 = (0..12).map(|seed| run(seed, 40, false)).sum();
    assert!(kept > 100, "{kept} of 480 blocks were followed without trying everything: the test says little");
}

#[test]
fn what_only_heights_end_is_gone_after_some_blocks() {
    let kept: u32 = (100..106).map(|seed| run(seed, 60, true)).sum();
    assert!(kept > 60, "{kept} of 360 blocks were followed without trying everything: the test says little");
}
