//! Random histories: the rules and the [`oracle`](super::oracle) say the same of every transaction, and the state that a
//! history leaves behind says of every position in the past what the oracle says.

use std::collections::BTreeMap;

use cairn_proofs::accumulator::Frontier;
use cairn_proofs::tree::StateTree;
use cairn_types::{Hash, Height, Position, SignedTransaction, TransactionId};

use super::invariants::{self, Facts, at};
use super::oracle::Oracle;
use super::player::{Cast, Player};
use super::random::{NamesSeedOnFailure, Random, SEED_VARIABLE, seeds};
use super::world::{Scheme, World};
use crate::execute;

/// Histories in one run: what fits into some ten seconds of an unoptimised build.
const HISTORIES: u64 = 300;
/// Transactions that are proposed in one history.
const TRANSACTIONS: usize = 200;

/// What a history left behind.
pub(super) struct History {
    pub(super) world: World,
    pub(super) oracle: Oracle,
    /// Each block's transactions, and the state root after it.
    pub(super) blocks: Vec<(Vec<SignedTransaction>, Hash)>,
    /// How often each call was accepted and each rejection given, by name.
    seen: BTreeMap<&'static str, usize>,
}

/// Plays the history of `seed` until `count` transactions were proposed, and compares every decision with the oracle's.
pub(super) fn play(cast: &Cast, seed: u64, count: usize) -> History {
    let mut random = Random::new(seed);
    let mut world = World::with(Scheme::Plain);
    let organizations = [(&world.works, 1), (&world.contractor, 1), (&world.board, 2)];
    let mut oracle = Oracle::new(world.chain_id(), world.parameters.lifetime_max, &organizations);
    let mut known: Vec<SignedTransaction> = Vec::new();
    let (mut blocks, mut seen) = (Vec::new(), BTreeMap::new());
    while known.len() < count {
        let height = world.height();
        let (mut candidates, mut permitted) = (Vec::new(), Vec::new());
        for _ in 0..random.below(9) {
            let position = Position { height, index: u32::try_from(permitted.len()).expect("few") };
            let transaction = if !known.is_empty() && random.once_in(15) {
                random.pick(&known).clone()
            } else {
                Player { cast, oracle: &oracle, random: &mut random, position }.propose()
            };
            if oracle.now().permits(&transaction, position) {
                oracle.accept(position, &transaction);
                permitted.push(transaction.clone());
            }
            candidates.push(transaction);
        }
        known.extend_from_slice(&candidates);
        let built = world.block(candidates);
        if built.included != permitted {
            let differs = built.included.iter().zip(&permitted).position(|(rules, oracle)| rules != oracle);
            let index = differs.unwrap_or(built.included.len().min(permitted.len()));
            let [rules, oracle] = [&built.included, &permitted].map(|list| list.get(index));
            let why: Vec<_> = built.rejected.iter().map(|(_, rejection)| rejection.to_string()).collect();
            panic!("at {height}/{index} the rules accept {rules:#?}, the oracle {oracle:#?}; refused: {why:#?}");
        }
        let names = built.rejected.iter().map(|(_, rejection)| rejection.name());
        for name in names.chain(built.included.iter().map(|transaction| transaction.body().call.name())) {
            *seen.entry(name).or_insert(0) += 1;
        }
        oracle.blocks.push(world.block_ref(height.get()).hash);
        blocks.push((built.included, world.state.root()));
    }
    History { world, oracle, blocks, seen }
}

/// The state, as it is at the end, gives for `position` the answers that the oracle gives from what had happened then.
fn check_past(history: &History, facts: &Facts, position: Position) {
    let past = history.oracle.at(position);
    for (id, file) in &facts.devices {
        let owner = at(&file.owners, position).map(|interval| interval.value);
        assert_eq!(owner, past.owner(id), "owner at {position}");
        assert_eq!(at(&file.placements, position).map(|interval| &interval.value), past.zone(id), "zone at {position}");
        let status = at(&file.statuses, position).map(|interval| interval.value);
        assert_eq!(status, past.status(id), "status at {position}");
        let key = at(&file.keys, position).map(|interval| (interval.value.key, interval.value.next));
        assert_eq!(key, past.key(id), "key at {position}");
    }
    for (id, interval) in &facts.grants {
        let given = past.grant(id).map(|(from, grantor, terms)| (from, grantor, terms.scope.clone()));
        let held = given.is_some() && past.revoked(id).is_none();
        assert_eq!(at(std::slice::from_ref(interval), position).is_some(), held, "grant at {position}");
    }
}

/// What is as it is now: doubts, grants' terms, streams.
fn check_present(history: &History, facts: &Facts) {
    let now = history.oracle.now();
    for (id, file) in &facts.devices {
        assert_eq!(file.statuses.last().and_then(|status| status.suspect_since), now.device_doubt(id));
    }
    assert_eq!(facts.grants.len(), now.grants().len());
    for (id, interval) in &facts.grants {
        let (from, grantor, given) = now.grant(id).expect("the oracle knows it");
        let terms = &interval.value;
        assert_eq!((interval.from, interval.to, interval.suspect_since), (from, now.revoked(id), now.grant_doubt(id)));
        assert_eq!((terms.grantor, &terms.grantee, terms.actions), (grantor, &given.grantee, given.actions));
        assert_eq!(
            (&terms.scope, terms.window, terms.depth, terms.parent),
            (&given.scope, given.window, given.depth, given.parent)
        );
    }
    assert_eq!(facts.streams.len(), now.streams().len());
    for (id, record) in &facts.streams {
        let (device, said) = now.stream(id).expect("the oracle knows it");
        let items: Vec<Hash> = said[1..].iter().map(TransactionId::hash).collect();
        assert_eq!((record.device, record.count), (device, items.len() as u64), "no sequence is missing");
        assert_eq!(Some(&record.head), said.last());
        assert_eq!(record.peaks, Frontier::from_items(&items).peaks(), "the accumulator holds what was said, in order");
    }
}

/// The same blocks, executed again from the genesis, and the same content, put together at once, have the same roots.
fn check_replay(history: &History) {
    let mut again = World::with(Scheme::Plain);
    for (transactions, root) in &history.blocks {
        let executed = execute(&again.state, again.context(), &again.scheme, again.height(), transactions);
        assert_eq!(executed.expect("it was valid the first time").state.root(), *root);
        again.block(transactions.clone());
    }
    let entries = history.world.state.prefix(&[]).map(|(key, value)| (key.to_vec(), value.to_vec()));
    let at_once = StateTree::from_sorted(entries).expect("a tree gives its entries in order");
    assert_eq!(at_once.root(), history.world.state.root());
}

#[test]
fn the_rules_and_the_oracle_agree_on_every_transaction_and_on_every_position_of_the_past() {
    let cast = Cast::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds(HISTORIES) {
        let _named = NamesSeedOnFailure(seed);
        let history = play(&cast, seed, TRANSACTIONS);
        invariants::check_state(&history.world.state);
        let facts = Facts::of(&history.world.state);
        check_present(&history, &facts);
        let mut random = Random::new(seed);
        for _ in 0..20 {
            let height = Height::new(random.below(history.blocks.len() + 2) as u64);
            check_past(&history, &facts, Position { height, index: random.below(9) as u32 });
        }
        if seed % 10 == 0 {
            check_replay(&history);
        }
        for (name, count) in history.seen {
            *seen.entry(name).or_insert(0) += count;
        }
    }
    println!("{seen:#?}");
    let calls = [
        "RegisterDevice",
        "RotateDeviceKey",
        "PlaceDevice",
        "SetDeviceStatus",
        "Grant",
        "RevokeGrant",
        "OpenStream",
        "Attest",
    ];
    if std::env::var_os(SEED_VARIABLE).is_none() {
        let rare = calls.iter().find(|name| seen.get(*name).is_none_or(|count| *count < HISTORIES as usize));
        assert_eq!(rare, None, "each call is accepted at least once in a history on average");
    }
}
