//! Places against the plainest reading of their contract, over restarts, stops at every operation of the disk, and damage.

use std::collections::BTreeMap;
use std::path::Path;

use cairn_types::Height;

use super::filter::Filter;
use super::{Family, Key, Place, Places, hashed};
use crate::disk::simulated::{Seeded, SimulatedDisk};
use crate::error::StorageError;

const DIRECTORY: &str = "/node/places";
const FAMILIES: [Family; 3] = [Family::Transactions, Family::Attestations, Family::Contents];

/// Names of the blocks: each transaction has an id of its own, and one of a few contents.
fn names(height: u64) -> Vec<(Family, Vec<u8>, u32)> {
    let mut random = Seeded::new(height);
    let mut names = Vec::new();
    for index in 0..random.below(9) as u32 {
        names.push((Family::Transactions, format!("id {height} {index}").into_bytes(), index));
        names.push((Family::Attestations, format!("entry {height} {index}").into_bytes(), index));
        names.push((Family::Contents, vec![random.below(5) as u8], index));
    }
    names
}

type Model = BTreeMap<(u8, Vec<u8>), Vec<Place>>;

fn model(blocks: u64) -> Model {
    let mut model = Model::new();
    for height in 1..=blocks {
        for (family, name, index) in names(height) {
            let place = Place { height: Height::new(height), index };
            model.entry((family as u8, name)).or_default().push(place);
        }
    }
    model
}

fn open(disk: &SimulatedDisk, log_next: u64) -> Result<Places, StorageError> {
    let mut places = Places::open(disk.handle(), Path::new(DIRECTORY), Height::new(1), Height::new(log_next))?;
    places.limit_runs(40);
    Ok(places)
}

fn add(places: &Places, height: u64) -> Result<(), StorageError> {
    let mut block = places.begin(Height::new(height));
    names(height).iter().for_each(|(family, name, index)| block.push(*family, name, *index));
    places.add(block)
}

fn check(places: &Places, model: &Model, context: &str) {
    for ((family, name), expected) in model {
        let family = FAMILIES[usize::from(*family)];
        assert_eq!(places.all_of(family, name, None, usize::MAX).expect("a healthy disk"), *expected, "{context}");
        assert_eq!(places.first_of(family, name).expect("a healthy disk"), expected.first().copied(), "{context}");
        let middle = expected.get(expected.len() / 2).copied();
        let behind: Vec<Place> = expected.iter().copied().filter(|place| Some(*place) > middle).take(3).collect();
        assert_eq!(places.all_of(family, name, middle, 3).expect("a healthy disk"), behind, "{context}");
    }
    for family in FAMILIES {
        assert_eq!(places.first_of(family, b"nobody").expect("a healthy disk"), None, "{context}");
    }
    assert_eq!(places.len(), model.values().map(|places| places.len() as u64).sum::<u64>(), "{context}");
}

#[test]
fn what_was_added_is_found_whatever_was_written_merged_and_opened_again_in_between() {
    for seed in 0..12 {
        let (disk, mut random) = (SimulatedDisk::new(seed), Seeded::new(seed));
        let mut places = open(&disk, 1).expect("an empty directory");
        for height in 1..=500 {
            add(&places, height).expect("a healthy disk");
            if random.below(4) == 0 {
                places.work().expect("a healthy disk");
            }
            if random.below(60) == 0 {
                let closes = random.coin();
                if closes {
                    places.close().expect("a healthy disk");
                }
                places = open(&disk, height + 1).expect("it opens");
                assert!(!closes || places.next().get() == height + 1, "an orderly end leaves nothing to add again");
                (places.next().get()..=height).for_each(|again| add(&places, again).expect("a healthy disk"));
            }
            if height % 100 == 0 {
                check(&places, &model(height), &format!("seed {seed}, height {height}"));
            }
        }
        places.close().expect("a healthy disk");
        let files = disk.files().len();
        assert!(files < 25, "runs are merged: {files} files");
    }
}

#[test]
fn stopped_at_any_operation_nothing_is_believed_that_was_not_written() {
    const BLOCKS: u64 = 120;
    let whole = model(BLOCKS);
    for stop in 0.. {
        let context = format!("stopped at operation {stop}");
        let disk = SimulatedDisk::new(stop);
        disk.stop_after(stop);
        let fill = |disk: &SimulatedDisk| {
            let places = open(disk, BLOCKS + 1)?;
            for height in places.next().get()..=BLOCKS {
                add(&places, height)?;
                places.work()?;
            }
            places.close()?;
            Ok::<_, StorageError>(places)
        };
        let ended = fill(&disk);
        let stopped = disk.power_cut();
        assert_eq!(ended.is_err(), stopped, "{context}");
        disk.stop_after(stop % 13);
        drop(fill(&disk));
        disk.power_cut();
        check(&fill(&disk).expect("a healthy disk"), &whole, &context);
        if !stopped {
            break;
        }
    }
}

#[test]
fn a_flipped_bit_costs_a_look_into_the_log_and_never_tells_a_wrong_place() {
    const BLOCKS: u64 = 150;
    let whole = model(BLOCKS);
    let healthy = SimulatedDisk::new(1);
    let places = open(&healthy, BLOCKS + 1).expect("an empty directory");
    for height in 1..=BLOCKS {
        add(&places, height).expect("a healthy disk");
        places.work().expect("a healthy disk");
    }
    places.close().expect("a healthy disk");
    healthy.kill();
    let (mut noticed, mut random) = (0, Seeded::new(7));
    for path in healthy.files() {
        let bits = healthy.contents(&path).expect("it is there").len() as u64 * 8;
        for _ in 0..40 {
            let disk = healthy.fork(3);
            assert!(disk.flip_bit(&path, random.below(bits)));
            let places = open(&disk, BLOCKS + 1).expect("it opens, whatever is damaged");
            (places.next().get()..=BLOCKS).for_each(|height| add(&places, height).expect("memory"));
            let mut is_damaged = false;
            for ((family, name), expected) in &whole {
                match places.all_of(FAMILIES[usize::from(*family)], name, None, usize::MAX) {
                    Ok(found) => assert_eq!(found, *expected),
                    Err(StorageError::PlacesDamaged { .. } | StorageError::Io { .. }) => is_damaged = true,
                    Err(other) => panic!("{other}"),
                }
            }
            noticed += u32::from(is_damaged);
            drop(places);
            // The damaged run is gone now, and its heights are found missing.
            let places = open(&disk, BLOCKS + 1).expect("it opens");
            (places.next().get()..=BLOCKS).for_each(|height| add(&places, height).expect("memory"));
            check(&places, &whole, "filled again");
        }
    }
    assert!(noticed > 20, "damage in records is noticed when they are read: {noticed}");
}

#[test]
fn places_that_do_not_fit_the_log_are_found_again() {
    let disk = SimulatedDisk::new(5);
    let places = open(&disk, 1).expect("an empty directory");
    (1..=90).for_each(|height| add(&places, height).expect("a healthy disk"));
    places.close().expect("a healthy disk");
    drop(places);
    let at = |first: u64, log_next: u64| {
        let places =
            Places::open(disk.fork(1).handle(), Path::new(DIRECTORY), Height::new(first), Height::new(log_next));
        places.expect("it opens").next().get()
    };
    disk.kill();
    assert_eq!(at(1, 91), 91, "all are there");
    assert_eq!(at(60, 200), 91, "the log was pruned, and went on without us");
    assert_eq!(at(1, 90), 1, "the log lost its end, and what it had there is not known to be final");
    assert_eq!(at(95, 200), 95, "the log dropped what is missing");
}

#[test]
fn the_caller_is_told_what_cannot_be_added() {
    let places = Places::in_memory(Height::new(7));
    assert!(matches!(places.add(places.begin(Height::new(8))), Err(StorageError::HeightNotNext { .. })));
    let mut block = places.begin(Height::new(7));
    block.push(Family::Contents, b"far", 1 << 23);
    assert!(matches!(places.add(block), Err(StorageError::PlaceTooFar { .. })));
    assert_eq!((places.next(), places.len()), (Height::new(7), 0));
}

#[test]
fn whoever_asks_may_name_a_place_that_no_block_has() {
    let places = Places::in_memory(Height::new(1));
    for height in 1..=3 {
        let mut block = places.begin(Height::new(height));
        block.push(Family::Contents, b"twice said", 0);
        block.push(Family::Contents, b"twice said", Place::INDEX_MAX);
        places.add(block).expect("it is the next one");
    }
    let behind = |height: u64, index: u32| {
        let after = Place { height: Height::new(height), index };
        places.all_of(Family::Contents, b"twice said", Some(after), 9).expect("nothing is wrong with the disk").len()
    };
    assert_eq!((behind(0, u32::MAX), behind(1, 0), behind(1, u32::MAX), behind(2, Place::INDEX_MAX)), (6, 5, 4, 2));
    assert_eq!((behind(3, u32::MAX), behind(1 << 40, 0), behind(u64::MAX, u32::MAX)), (0, 0, 0));
}

#[test]
fn the_filter_never_hides_a_name_and_seldom_lets_another_pass() {
    let key = |number: u64| -> Key { hashed(&[3; 32], Family::Transactions, &number.to_be_bytes()) };
    let mut filter = Filter::new(10_000);
    (0..10_000).for_each(|number| filter.insert(key(number)));
    assert!((0..10_000).all(|number| filter.may_hold(key(number))));
    let passed = (10_000..110_000).filter(|number| filter.may_hold(key(*number))).count();
    assert!(passed < 4_000, "{passed} of 100,000 pass");
}
