//! Stories of ledgers that do not begin with block 1: joined, pruned, without their index, and after the power went.

use std::path::Path;

use cairn_proofs::checkpoint::establish;
use cairn_runtime::CheckDirectly;
use cairn_storage::{DataDirectory, Engine, LogExtent, Seeded, SimulatedDisk, StorageError};
use cairn_types::governance::{Measure, PROTOCOL_VERSION};
use cairn_types::{Certificate, Header, Height, SignedTransaction, TransactionId, codec, encode};

use super::base;
use super::receive::{self, ReceiveError, Receiver};
use crate::chain::{Chain, ReadError};
use crate::frame::{Request, Response};
use crate::ledger::{self, Ledger, LedgerError};
use crate::serve;
use crate::shared::Shared;
use crate::testing::World;

/// Where the stores of these stories are, each on a disk of its own.
const DATA: &str = "/data";

/// The height of the story's ledger.
const TIP: u64 = 60;

/// A ledger that lived a little: devices came, and the validators changed three times.
struct Story {
    world: World,
    /// The blocks from 1 on.
    blocks: Vec<(Vec<u8>, Certificate)>,
    headers: Vec<Header>,
    /// A transaction of every tenth block.
    registered: Vec<TransactionId>,
}

impl Story {
    fn new() -> Self {
        let world = World::new();
        world.chain().offers.set_interval(20);
        let headers = vec![world.tip().header.clone()];
        let mut story = Self { world, blocks: Vec::new(), headers, registered: Vec::new() };
        for height in 1..=TIP {
            let world = &mut story.world;
            let transaction = match height {
                9 | 19 | 39 => {
                    let first = 12 + u8::try_from(height / 19).expect("small");
                    Some(world.govern(Measure::ChangeValidators(world.set(&[first, first + 1, first + 2, first + 3]))))
                }
                _ if height % 10 == 5 => Some(world.register(0, 50 + u8::try_from(height / 10).expect("small")).1),
                _ => None,
            };
            story
                .registered
                .extend(transaction.iter().filter(|_| height % 10 == 5).map(|transaction| transaction.id()));
            story.commit(transaction.into_iter().collect());
        }
        story
    }

    /// The next block.
    fn commit(&mut self, transactions: Vec<SignedTransaction>) {
        let header = self.world.commit(transactions).header.clone();
        let record = self.world.chain().log.read(header.height).expect("it reads").expect("it is there");
        self.blocks.push((record.block, codec::decode(&record.certificate, 1 << 20).expect("a certificate")));
        self.headers.push(header);
    }

    fn open(&self, disk: &SimulatedDisk) -> Result<(Ledger, u64), LedgerError> {
        let directory = DataDirectory::open_on(disk.handle(), Path::new(DATA), self.world.genesis.chain)?;
        let opened = Ledger::open(&directory, Engine::Fjall, self.world.genesis.clone(), PROTOCOL_VERSION)?;
        opened.ledger.chain().offers.set_interval(20);
        Ok((opened.ledger, opened.replayed))
    }

    /// Where the base of that disk's store is written.
    fn place(&self, disk: &SimulatedDisk) -> cairn_storage::BasePlace {
        self.try_place(disk).expect("it opens")
    }

    fn try_place(&self, disk: &SimulatedDisk) -> Result<cairn_storage::BasePlace, LedgerError> {
        // The lock goes with the directory: these stories have one process.
        let directory = DataDirectory::open_on(disk.handle(), Path::new(DATA), self.world.genesis.chain)?;
        Ok(directory.base_place(self.world.genesis.chain))
    }

    /// Commits the blocks after the ledger's tip, up to a height.
    fn feed(&self, ledger: &mut Ledger, to: u64) -> Result<(), LedgerError> {
        while ledger.chain().tip().header.height.get() < to {
            let next = usize::try_from(ledger.chain().tip().header.height.get()).expect("small");
            let (bytes, certificate) = &self.blocks[next];
            let judged = ledger::judge(ledger.chain(), bytes, &CheckDirectly).expect("it is the next block");
            ledger.commit(judged, certificate.clone())?;
        }
        Ok(())
    }

    /// A store with blocks up to a height.
    fn store(&self, seed: u64, to: u64) -> SimulatedDisk {
        let disk = SimulatedDisk::new(seed);
        let (mut ledger, _) = self.open(&disk).expect("an empty store opens");
        self.feed(&mut ledger, to).expect("a healthy disk");
        ledger.close().expect("it closes");
        disk
    }

    /// Checks everything that a node must know at its tip, whatever it dropped.
    fn check(&self, chain: &Chain, context: &str) {
        let tip = chain.tip();
        let height = tip.header.height;
        let known = usize::try_from(height.get()).expect("small");
        assert_eq!(tip.header, self.headers[known], "{context}");
        assert_eq!(tip.state.root(), tip.header.state_root, "{context}");
        for (at, expected) in (0..=height.get()).zip(&self.headers) {
            let header = chain.header(Height::new(at)).expect("it reads").expect("it is final");
            assert_eq!(header, *expected, "{context}: header {at}");
            assert_eq!(
                chain.hash_at(Height::new(at)).expect("it reads"),
                Some(expected.hash()),
                "{context}: hash {at}"
            );
            if at < height.get() {
                let proof = chain.history_proof(Height::new(at), height).expect("it is proven");
                let root = tip.header.history_root;
                assert_eq!(proof.verify(&expected.hash().hash(), height.get(), &root), Ok(()), "{context}: {at}");
            }
        }
        if let Some(proof) = chain.checkpoint_proof(&tip).expect("it reads") {
            let finality = establish(&proof, &chain.id).expect("the way from the genesis is whole");
            let changes = self.headers[..known]
                .windows(2)
                .filter(|pair| matches!(pair, [_, header] if header.validators_root != header.next_validators_root));
            assert_eq!(finality.changes, changes.count(), "{context}");
        }
        let first = chain.first_block();
        for at in 1..=height.get() {
            match chain.block(Height::new(at)) {
                Ok(Some((block, Some(_)))) => {
                    assert_eq!(block.header, self.headers[usize::try_from(at).expect("small")])
                }
                Err(ReadError::BlockPruned { height, first: named }) => {
                    assert!(height < first && named == first, "{context}: block {at} of {first} on");
                }
                other => panic!("{context}: block {at}: {other:?}"),
            }
        }
        for (tenth, id) in (0u64..).zip(&self.registered) {
            let at = Height::new(tenth * 10 + 5);
            if at >= first && at <= height {
                let position = chain.position(id).expect("it reads").expect("it is found");
                assert_eq!(position.height, at, "{context}");
            }
        }
    }

    fn receiver(&self) -> Receiver {
        let Response::Snapshot(Some(bytes)) = self.answer(&Request::Snapshot) else { panic!("it has a snapshot") };
        Receiver::new(receive::checkpoint(&bytes, &self.world.genesis.chain).expect("it is certified"))
    }

    fn answer(&self, request: &Request) -> Response {
        let request = Request::decode(&encode(request)).expect("a request is one");
        serve::answer(self.world.chain(), &Shared::new(), &request).expect("the disk can be read")
    }

    /// A store that joined by the story's snapshot.
    fn joined(&self, disk: &SimulatedDisk) -> Result<(), LedgerError> {
        let mut receiver = self.receiver();
        let first = receiver.proof().checkpoint.height.next().expect("few heights");
        // A node opens its ledger before it knows that it will join.
        self.open(disk)?;
        let mut writer = self.try_place(disk)?.create(LogExtent { origin: first, first })?;
        base::begin(&mut writer, receiver.proof())?;
        while let Some(request) = receiver.want() {
            base::append(&mut writer, &receiver.accept(self.answer(&request)).expect("it is true"))?;
        }
        Ok(writer.finish()?)
    }
}

#[test]
fn who_joins_by_a_snapshot_has_the_same_ledger_and_goes_on_and_says_what_it_lacks() {
    let story = Story::new();
    let disk = SimulatedDisk::new(1);
    story.joined(&disk).expect("a healthy disk");
    let (ledger, _) = story.open(&disk).expect("it opens with its base");
    assert_eq!(ledger.chain().tip().header.height, Height::new(60));
    assert_eq!(ledger.chain().first_block(), Height::new(61));
    story.check(ledger.chain(), "just joined");
    assert_eq!(story.answer(&Request::Head), Response::Head(Height::new(60)));
    drop(ledger);

    // An earlier snapshot, so that there is something to go on with.
    let mut early = Story::new();
    early.world.chain().offers.set_interval(40);
    let disk = early.store(2, 40);
    let (mut ledger, _) = early.open(&disk).expect("it opens");
    ledger.prune_now(1, &early.place(&disk)).expect("a healthy disk").expect("39 blocks are dropped");
    assert_eq!(ledger.chain().first_block(), Height::new(40));
    early.feed(&mut ledger, TIP).expect("it goes on");
    early.check(ledger.chain(), "pruned to one block and gone on");
    assert!(early.world.commit(Vec::new()).header.height > Height::new(TIP));
}

#[test]
fn whatever_a_peer_sends_in_the_place_of_a_piece_is_refused_and_the_truth_is_taken_after_it() {
    let story = Story::new();
    let mut random = Seeded::new(3);
    let mut receiver = story.receiver();
    let (mut lies, mut late) = (0, 0);
    let other = Request::SnapshotState { snapshot: Height::new(40), after: None };
    while let Some(request) = receiver.want() {
        let truth = encode(&story.answer(&request));
        let mut taken = false;
        for _ in 0..200 {
            let mut bytes = truth.clone();
            let at = usize::try_from(random.below(bytes.len() as u64)).expect("small");
            bytes[at] ^= 1 << random.below(8);
            match Response::decode(&bytes).map_err(ReceiveError::from).and_then(|lie| receiver.accept(lie)) {
                Err(error) => lies += usize::from(error.is_lie()),
                Ok(_) => taken = true,
            }
            assert!(!taken, "a flipped bit at {at} of {request:?} was believed");
        }
        for wrong in [story.answer(&other), story.answer(&Request::Head), Response::SnapshotState(None)] {
            late += usize::from(receiver.accept(wrong).is_err());
        }
        receiver.accept(Response::decode(&truth).expect("an answer")).expect("the truth is believed");
    }
    println!("{lies} lies");
    assert!(lies > 300 && late > 3, "{lies} and {late}");
    let mut forged = story.receiver().proof().clone();
    forged.checkpoint.state_root = cairn_types::Hash::plain(b"another state");
    assert!(matches!(
        receive::checkpoint(&encode(&forged), &story.world.genesis.chain),
        Err(ReceiveError::Checkpoint(_))
    ));
}

#[test]
fn a_pruned_ledger_is_whole_with_its_index_and_without_and_prunes_again() {
    let story = Story::new();
    let disk = story.store(4, 50);
    let (mut ledger, _) = story.open(&disk).expect("it opens");
    let pruned =
        ledger.prune_now(10, &story.place(&disk)).expect("a healthy disk").expect("there is something to drop");
    assert_eq!((pruned.first, ledger.chain().first_block()), (Height::new(41), Height::new(41)));
    story.check(ledger.chain(), "just pruned");
    assert_eq!(ledger.prune_now(10, &story.place(&disk)).expect("a healthy disk"), None);
    ledger.close().expect("it closes");
    drop(ledger);

    let (mut ledger, replayed) = story.open(&disk).expect("it opens");
    assert_eq!(replayed, 0);
    story.check(ledger.chain(), "opened again");
    story.feed(&mut ledger, 55).expect("it goes on");
    ledger.close().expect("it closes");
    drop(ledger);
    disk.handle().discard_index(&Path::new(DATA).join("index-fjall")).expect("it is there");
    let (mut ledger, replayed) = story.open(&disk).expect("it opens without an index");
    assert_eq!(replayed, 5, "the base is of height 50");
    story.check(ledger.chain(), "without its index");
    ledger.prune_now(3, &story.place(&disk)).expect("a healthy disk").expect("there is more to drop");
    assert_eq!(ledger.chain().first_block(), Height::new(53));
    story.feed(&mut ledger, TIP).expect("it goes on");
    story.check(ledger.chain(), "pruned twice");
}

#[test]
fn a_running_ledger_drops_old_files_by_itself() {
    let story = Story::new();
    let disk = SimulatedDisk::new(5);
    let (mut ledger, _) = story.open(&disk).expect("an empty store opens");
    ledger.chain().offers.set_interval(5);
    ledger.keep_blocks(8, story.place(&disk));
    for height in 1..=TIP {
        story.feed(&mut ledger, height).expect("a healthy disk");
        // The base is written beside.
        ledger.wait_for_pruning();
    }
    let first = ledger.chain().first_block();
    assert!(first > Height::new(40) && first <= Height::new(53), "{first}");
    story.check(ledger.chain(), "pruned while it ran");
    drop(ledger);
    let (ledger, _) = story.open(&disk).expect("it opens");
    story.check(ledger.chain(), "pruned while it ran, opened again");
}

#[test]
fn wherever_the_power_goes_while_blocks_are_dropped_or_a_node_joins_the_ledger_is_whole() {
    let story = Story::new();
    let before = story.store(6, 50);
    let mut cuts = 0;
    for keep in [1, 10] {
        for stop in 0.. {
            let disk = before.fork(100 * stop + keep);
            let (mut ledger, _) = story.open(&disk).expect("it opens");
            let place = story.place(&disk);
            disk.stop_after(stop);
            // How it ends is the disk's to say.
            let _ = ledger.prune_now(keep, &place).and_then(|_| story.feed(&mut ledger, 52));
            let reached = ledger.chain().tip().header.height;
            drop((ledger, place));
            // Sometimes the process dies first, is started again, and then the power goes.
            let killed = stop % 2 == 1 && disk.kill();
            if killed {
                story.open(&disk).unwrap_or_else(|error| panic!("killed at operation {stop}: {error}"));
            }
            let stopped = disk.power_cut() || killed;
            let context = format!("keeping {keep}, stopped at operation {stop}");
            let (mut ledger, _) = story.open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(ledger.chain().tip().header.height >= reached, "{context}: a final block is lost");
            story.check(ledger.chain(), &context);
            story.feed(&mut ledger, 55).unwrap_or_else(|error| panic!("{context}: {error}"));
            story.check(ledger.chain(), &context);
            cuts += 1;
            if !stopped {
                break;
            }
        }
    }
    for stop in 0.. {
        let disk = SimulatedDisk::new(stop);
        let opened = story.open(&disk).map(|(ledger, _)| drop(ledger));
        opened.expect("an empty store opens");
        disk.stop_after(stop);
        let joined = story.joined(&disk).and_then(|()| story.open(&disk).map(drop));
        let stopped = disk.power_cut();
        let context = format!("joining, stopped at operation {stop}");
        let (ledger, _) = story.open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        let height = ledger.chain().tip().header.height.get();
        assert!(height == TIP || height == 0 && joined.is_err(), "{context}: {height}");
        story.check(ledger.chain(), &context);
        cuts += 1;
        if !stopped {
            assert_eq!(height, TIP, "{context}");
            break;
        }
    }
    println!("{cuts} power cuts");
}

#[test]
fn a_store_that_lost_blocks_before_its_base_says_what_to_move_away_and_then_joins_anew() {
    let story = Story::new();
    let disk = story.store(9, 50);
    let (mut ledger, _) = story.open(&disk).expect("it opens");
    ledger.prune_now(10, &story.place(&disk)).expect("a healthy disk").expect("there is something to drop");
    ledger.close().expect("it closes");
    drop(ledger);
    let blocks = Path::new(DATA).join("blocks");
    let file = disk.files().into_iter().find(|path| path.starts_with(&blocks)).expect("one file of blocks");
    let mut bytes = disk.contents(&file).expect("it reads");
    bytes.truncate(bytes.len() - 1);
    disk.overwrite(&file, bytes);
    let error = story.open(&disk).map(|_| ()).expect_err("block 50 is gone");
    assert!(matches!(error, LedgerError::LogBehindBase { .. }), "{error}");
    assert!(error.to_string().contains("move base, blocks and index away"), "{error}");
    for path in disk.files().into_iter().filter(|path| path.starts_with(&blocks) || path.ends_with("base")) {
        disk.lose(&path);
    }
    disk.handle().discard_index(&Path::new(DATA).join("index-fjall")).expect("it is there");
    story.joined(&disk).expect("a healthy disk");
    let (ledger, _) = story.open(&disk).expect("it opens");
    assert_eq!(ledger.chain().tip().header.height, Height::new(TIP));
    story.check(ledger.chain(), "joined anew");
}

#[test]
fn a_log_damaged_above_its_base_is_cut_there_and_fetched_again_and_damage_below_stays_until_it_is_dropped() {
    let mut story = Story::new();
    let joined = SimulatedDisk::new(10);
    story.joined(&joined).expect("a healthy disk");
    let pruned = story.store(11, 50);
    let (mut ledger, _) = story.open(&pruned).expect("it opens");
    ledger.prune_now(10, &story.place(&pruned)).expect("a healthy disk").expect("there is something to drop");
    ledger.close().expect("it closes");
    drop(ledger);
    (0..6).for_each(|_| story.commit(Vec::new()));
    let last = TIP + 6;

    let blocks = Path::new(DATA).join("blocks");
    for (disk, first, base) in [(joined, TIP + 1, TIP), (pruned, 41, 50)] {
        let (mut ledger, _) = story.open(&disk).expect("it opens");
        story.feed(&mut ledger, last).expect("it goes on");
        ledger.close().expect("it closes");
        drop(ledger);
        disk.kill();
        let log = disk.files().into_iter().find(|path| path.starts_with(&blocks)).expect("one file of blocks");
        let bytes = disk.contents(&log).expect("it reads");
        for (height, has_index) in (first..=last).flat_map(|height| [(height, true), (height, false)]) {
            let context = format!("block {height} above the base of {base}, with an index: {has_index}");
            let block = &story.blocks[usize::try_from(height).expect("small") - 1].0;
            let at = bytes.windows(block.len()).position(|window| window == block).expect("the log has it");
            let disk = disk.fork(height);
            assert!(disk.flip_bit(&log, (at as u64 + 20) * 8));
            if !has_index {
                disk.handle().discard_index(&Path::new(DATA).join("index-fjall")).expect("it is there");
            }
            let in_quarantine = || disk.files().iter().any(|path| path.starts_with(blocks.join("quarantine")));

            let (mut ledger, _) = story.open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            if height <= base {
                assert_eq!(
                    ledger.chain().tip().header,
                    story.headers[usize::try_from(last).expect("small")],
                    "{context}"
                );
                let damaged = ledger.chain().block(Height::new(height));
                assert!(
                    matches!(damaged, Err(ReadError::Storage(StorageError::LogDamaged(_)))),
                    "{context}: {damaged:?}"
                );
                assert!(!in_quarantine(), "{context}: nobody needs it to go on");
                continue;
            }
            assert_eq!(ledger.chain().tip().header.height, Height::new(height - 1), "{context}");
            story.check(ledger.chain(), &context);
            // A damaged last record could have been an unfinished write, which is no loss to keep anything of.
            assert_eq!(in_quarantine(), height < last, "{context}");
            story.feed(&mut ledger, last).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(!in_quarantine(), "{context}: {:?}", disk.files());
            story.check(ledger.chain(), &context);
            ledger.close().expect("it closes");
            drop(ledger);
            let (ledger, replayed) = story.open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(replayed, 0, "{context}");
            story.check(ledger.chain(), &context);
        }
    }
}

#[test]
fn a_base_with_a_flipped_bit_is_refused_in_words_or_read_as_it_was() {
    let story = Story::new();
    let disk = SimulatedDisk::new(7);
    story.joined(&disk).expect("a healthy disk");
    let path = Path::new(DATA).join("base");
    let bits = disk.contents(&path).expect("it is there").len() as u64 * 8;
    let mut random = Seeded::new(8);
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..120 {
        let disk = disk.fork(random.next());
        assert!(disk.flip_bit(&path, random.below(bits)));
        match story.open(&disk) {
            Ok((ledger, _)) => {
                story.check(ledger.chain(), "after a flipped bit");
                harmless += 1;
            }
            Err(error) => {
                assert!(matches!(error, LedgerError::Storage(StorageError::BaseDamaged { .. })), "{error}");
                assert!(error.to_string().contains("it joins anew"), "{error}");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 0);
}
