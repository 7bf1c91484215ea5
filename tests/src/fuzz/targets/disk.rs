//! Files of the data directory with whatever in them: what was not written is never served, and nothing panics.

use std::path::{Path, PathBuf};

use cairn_storage::{DataDirectory, RecordRef, SignRecord, SimulatedDisk};
use cairn_types::{ChainId, Hash, Height, Round};

use super::{Seen, Target, hold};

const HEIGHTS: u64 = 6;

fn directory() -> &'static Path {
    Path::new("/data")
}

fn chain() -> ChainId {
    ChainId::from_hash(Hash::plain(b"disk"))
}

/// What was written for a height: a block and its certificate.
fn written(height: u64) -> (Vec<u8>, Vec<u8>) {
    (vec![height as u8; 100 + 40 * height as usize], vec![0xcc; 70])
}

fn signed(step: u8) -> SignRecord {
    SignRecord { height: Height::new(HEIGHTS), round: Round::new(0), step, bytes: vec![step; 90] }
}

/// A directory in which everything is whole.
fn whole() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let open = "a new directory on a healthy disk";
    let data = DataDirectory::open_on(disk.handle(), directory(), chain()).expect(open);
    let (mut log, _) = data.open_block_log(Height::new(0)).expect(open);
    let blocks: Vec<_> = (0..HEIGHTS).map(written).collect();
    let record = |(height, (block, certificate))| RecordRef { height: Height::new(height), block, certificate };
    let records: Vec<RecordRef<'_>> =
        (0..).zip(&blocks).map(|(height, (block, certificate))| record((height, (block, certificate)))).collect();
    log.append_many(&records).expect(open);
    let (mut entries, _) = data.open_write_ahead_log().expect(open);
    entries.reset(Height::new(HEIGHTS)).expect(open);
    (1..4).for_each(|number| entries.append(&[number; 60]).expect(open));
    entries.sync().expect(open);
    let mut state = data.open_sign_state().expect(open);
    (1..3).for_each(|step| state.store(signed(step)).expect(open));
    disk
}

/// Opens everything, and compares what is served with what was written.
fn check(disk: &SimulatedDisk) -> Result<Seen, String> {
    let Ok(data) = DataDirectory::open_on(disk.handle(), directory(), chain()) else { return Ok(Seen::Refused) };
    let mut seen = Seen::Accepted;
    match data.open_sign_state() {
        Ok(state) => {
            let known = state.load().is_none_or(|record| *record == signed(1) || *record == signed(2));
            hold(known, "a record that was never signed", || format!("{:?}", state.load()))?;
        }
        Err(error) => {
            hold(!error.to_string().is_empty(), "a refusal without words", || format!("{error:?}"))?;
            seen = Seen::Refused;
        }
    }
    match data.open_write_ahead_log() {
        Ok((_, contents)) => {
            let right = (1_u8..).zip(&contents.entries).all(|(number, entry)| *entry == [number; 60]);
            hold(right && contents.entries.len() < 4, "entries that nobody wrote", || format!("{contents:?}"))?;
        }
        Err(_) => seen = Seen::Refused,
    }
    match data.open_block_log(Height::new(0)) {
        Ok((log, recovery)) => {
            for height in 0..HEIGHTS {
                let (block, certificate) = written(height);
                if let Ok(Some(record)) = log.read(Height::new(height)) {
                    let right = record.block == block && record.certificate == certificate;
                    hold(right, "a block that nobody wrote", || format!("{record:?}"))?;
                } else {
                    seen = Seen::Refused;
                }
            }
            hold(log.tip() <= Some(Height::new(HEIGHTS - 1)), "a block from nowhere", || format!("{recovery:?}"))?;
        }
        Err(_) => seen = Seen::Refused,
    }
    Ok(seen)
}

pub(super) fn targets() -> Vec<Target> {
    let whole = whole();
    let files: Vec<PathBuf> = whole.files().into_iter().filter(|file| !file.ends_with("lock")).collect();
    let corpus = files.iter().enumerate().map(|(place, file)| {
        let bytes = whole.contents(file).unwrap_or_default();
        [&[place as u8], bytes.as_slice()].concat()
    });
    let corpus = corpus.collect();
    vec![Target::new("data-directory", 10, corpus, move |input| {
        let Some((place, bytes)) = input.split_first() else { return Ok(Seen::Refused) };
        let disk = whole.fork(7);
        // Whoever had the directory open has gone.
        disk.power_cut();
        disk.overwrite(&files[usize::from(*place) % files.len()], bytes.to_vec());
        check(&disk)
    })]
}
