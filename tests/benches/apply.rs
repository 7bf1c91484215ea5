//! What the rules cost for one attestation, signature apart: a block of them built on a state of 100,000 devices, from few
//! streams and from many.
//!
//! The state is written as the rules would have left it, because registering so many devices would take longer than what is
//! measured. Time is of this thread alone, so other programs on the machine do not matter much.
//!
//! ```text
//! cargo run --release --workspace --example apply
//! ```

use std::time::Duration;

use cairn_proofs::tree::StateTree;
use cairn_runtime::{Context, History, Overlay, SignatureCheck};
use cairn_tests::actor::Writing;
use cairn_tests::{Actor, actor};
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, Interval, OrganizationKeys, OrganizationRecord, StreamRecord,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    Action, BlockHash, BlockRef, ChainId, DeviceId, DeviceStatus, GrantId, Grantee, Hash, Height, KeySet, Name,
    OrganizationId, Position, Principal, PublicKey, Scope, SignatureBytes, SignedTransaction, StreamId, TransactionId,
    Window, Zone, encode,
};

/// Devices in the state.
const DEVICES: u64 = 100_000;

/// Attestations in a block, and blocks of each kind.
const ATTESTATIONS: usize = 2_000;
const BLOCKS: u64 = 10;

/// Signatures are another figure.
struct Accepted;

impl SignatureCheck for Accepted {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

/// Every block has this hash.
struct OneHash(BlockHash);

impl History for OneHash {
    fn hash_at(&self, _: Height) -> Option<BlockHash> {
        Some(self.0)
    }
}

fn main() {
    let parameters = cairn_genesis::parameters::defaults();
    let history = OneHash(BlockHash::from_hash(Hash::plain(b"block")));
    let context =
        Context { chain: ChainId::from_hash(Hash::plain(b"chain")), parameters: &parameters, history: &history };
    let mut fleet = Vec::new();
    let mut state = state(&mut fleet);
    println!("{} entries", state.len());
    let tip = BlockRef { height: Height::new(1), hash: history.0 };
    let mut height = 2;
    for streams in [16, 10_000] {
        let (mut rules, mut tree) = (Duration::ZERO, Duration::ZERO);
        let mut next = 0;
        for _ in 0..BLOCKS {
            let transactions: Vec<SignedTransaction> = (0..ATTESTATIONS)
                .map(|index| {
                    next = (next + 7) % streams;
                    let (device, writing) = &mut fleet[next * 9];
                    writing.attest(context.chain, device, tip, &index.to_le_bytes())
                })
                .collect();
            let began = cpu();
            let mut overlay = Overlay::new(&state);
            for (index, transaction) in (0..).zip(&transactions) {
                let position = Position { height: Height::new(height), index };
                let changes = cairn_runtime::apply(&overlay, context, &Accepted, transaction, position);
                overlay.extend(changes.expect("the attestation follows the last"));
            }
            let changes = overlay.into_changes();
            rules += cpu() - began;
            let began = cpu();
            state = state.apply(&changes);
            tree += cpu() - began;
            height += 1;
        }
        let each = |total: Duration| total.as_nanos() / (u128::from(BLOCKS) * ATTESTATIONS as u128);
        println!("{streams:>6} streams: rules {} ns, tree {} ns an attestation", each(rules), each(tree));
    }
}

/// CPU time of this thread (proc(5): the first field of schedstat, in nanoseconds).
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    Duration::from_nanos(text.split_whitespace().next().and_then(|field| field.parse().ok()).expect("a number"))
}

/// The state with one organization and its devices, and who writes which stream.
fn state(fleet: &mut Vec<(Actor, Writing)>) -> StateTree {
    let at = Position::start_of(Height::new(1));
    let owner = OrganizationId::from_hash(Hash::plain(b"owner"));
    let zone = actor::zone(owner, "plant/hall-3/line-7");
    let grant = GrantId::from_hash(Hash::plain(b"grant"));
    let mut entries = organization(owner, &zone, grant, at);
    for seed in 0..DEVICES {
        let inception = actor::inception(seed);
        let device = inception.id();
        let name: Name = "readings".parse().expect("a valid name");
        let stream = StreamId::of(&device, &name);
        let head = TransactionId::from_hash(Hash::plain(&seed.to_le_bytes()));
        let key = DeviceKey { key: inception.key, next: inception.next };
        let record = DeviceRecord {
            inception,
            registered: at,
            registered_by: Principal::Organization(owner),
            endorsement: None,
        };
        let opened = StreamRecord {
            device,
            name,
            cadence_s: None,
            opened: at,
            count: 0,
            head,
            head_position: at,
            peaks: Vec::new(),
            closed: None,
            forked_at: None,
            owned_from: 0,
        };
        entries.extend([
            (facet(&device, DeviceFacet::Record), encode(&record)),
            (facet(&device, DeviceFacet::Key), encode(&Interval::open(key, at))),
            (facet(&device, DeviceFacet::Owner), encode(&Interval::open(owner, at))),
            (facet(&device, DeviceFacet::Status), encode(&Interval::open(DeviceStatus::Active, at))),
            (facet(&device, DeviceFacet::Placement), encode(&Interval::open(zone.clone(), at))),
            (state_key::key_use(&record.inception.key), encode(&Principal::Device(device))),
            (state_key::stream(&stream), encode(&opened)),
            (state_key::device_stream(&device, &stream), Vec::new()),
        ]);
        fleet.push((actor::device(seed), Writing { stream, authority: grant, sequence: 0, previous: head }));
    }
    entries.sort_unstable();
    StateTree::from_sorted(entries).expect("the keys are sorted and short")
}

fn facet(device: &DeviceId, facet: DeviceFacet) -> Vec<u8> {
    state_key::ordinal(state_key::device_facet(device, facet), 0)
}

/// What the state holds of the owner, with a grant to all devices of a zone.
fn organization(owner: OrganizationId, zone: &Zone, grant: GrantId, at: Position) -> Vec<(Vec<u8>, Vec<u8>)> {
    let record = OrganizationRecord {
        name: "owner".parse().expect("a valid name"),
        title: "Owner".to_owned(),
        roles: Vec::new().into_iter().collect(),
        recovery: None,
        admitted: at,
        expelled: None,
    };
    let keys = OrganizationKeys { keys: KeySet::single(actor::public(&actor::key(u64::MAX))), next: None };
    let terms = GrantTerms {
        grantor: Principal::Organization(owner),
        grantee: Grantee::Zone(zone.clone()),
        actions: [Action::Attest].into_iter().collect(),
        scope: Scope::Zone(zone.clone()),
        window: Window::ALWAYS,
        depth: 0,
        parent: None,
    };
    let facet = |facet| state_key::ordinal(state_key::organization_facet(&owner, facet), 0);
    vec![
        (facet(OrganizationFacet::Record), encode(&record)),
        (facet(OrganizationFacet::Keys), encode(&Interval::open(keys, at))),
        (state_key::grant(&grant), encode(&Interval::open(terms, at))),
    ]
}
