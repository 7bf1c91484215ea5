//! A disk that fails and a machine that loses power, for tests of this crate.
//!
//! Every mutation of a file counts as one operation of the thread that runs it. A test picks the operation at which
//! the machine stops; until [`power_cut`] every later operation fails too. The cut then does to the files what a power
//! cut may do: of what was not synced, each sector arrives or does not, a file has its old length or a new one, and
//! a rename whose directory was not synced is undone or not. It does not know any format.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Default)]
struct Machine {
    /// Operations still to succeed; `None` while no fault is planned.
    remaining: Option<u64>,
    /// Fail only the one operation, and go on: a bad sector instead of a power cut.
    once: bool,
    /// Has the planned fault happened?
    failed: bool,
    /// For files with unsynced changes: what a power cut can fall back to.
    durable: BTreeMap<PathBuf, Vec<u8>>,
    /// Renames whose directory was not synced: target and what was there before.
    renames: Vec<(PathBuf, Option<Vec<u8>>)>,
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

/// A small generator, so that a failing seed can be run again.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }
}

/// The machine stops after `operations` more operations.
pub(crate) fn stop_after(operations: u64) {
    MACHINE.with_borrow_mut(|m| *m = Machine { remaining: Some(operations), ..Machine::default() });
}

/// One operation fails after `operations` more, and the machine goes on.
pub(crate) fn fail_once_after(operations: u64) {
    MACHINE.with_borrow_mut(|m| *m = Machine { remaining: Some(operations), once: true, ..Machine::default() });
}

/// Ends all faults and reports whether the planned one has happened.
pub(crate) fn heal() -> bool {
    MACHINE.with_borrow_mut(|m| std::mem::take(m).failed)
}

/// The power goes: unsynced changes arrive in part. Ends all faults; reports whether the planned one had happened.
pub(crate) fn power_cut(random: &mut Seeded) -> bool {
    let machine = MACHINE.with_borrow_mut(std::mem::take);
    for (path, durable) in machine.durable {
        let Ok(written) = fs::read(&path) else { continue };
        let (short, long) = (durable.len().min(written.len()), durable.len().max(written.len()));
        let length = short + random.below((long - short) as u64 + 1) as usize;
        let mut mixed = vec![0; length];
        for start in (0..length).step_by(SECTOR_BYTES) {
            let end = length.min(start + SECTOR_BYTES);
            let source = if random.below(2) == 0 { &durable } else { &written };
            let end = end.min(source.len());
            if start < end {
                mixed[start..end].copy_from_slice(&source[start..end]);
            }
        }
        fs::write(&path, mixed).expect("the test's own directory is writable");
    }
    for (target, before) in machine.renames.into_iter().rev() {
        if random.below(2) == 0 {
            match before {
                Some(bytes) => fs::write(&target, bytes).expect("the test's own directory is writable"),
                None => fs::remove_file(&target).expect("the renamed file is there"),
            }
        }
    }
    machine.failed
}

fn count() -> io::Result<()> {
    MACHINE.with_borrow_mut(|m| {
        if m.failed && !m.once {
            return Err(io::Error::other("the machine has stopped"));
        }
        match &mut m.remaining {
            Some(0) if !m.failed => {
                m.failed = true;
                Err(io::Error::new(io::ErrorKind::StorageFull, "planned fault"))
            }
            Some(remaining) => {
                *remaining = remaining.saturating_sub(1);
                Ok(())
            }
            None => Ok(()),
        }
    })
}

fn remember(path: &Path) {
    MACHINE.with_borrow_mut(|m| {
        if m.remaining.is_some() && !m.durable.contains_key(path) {
            m.durable.insert(path.to_path_buf(), fs::read(path).unwrap_or_default());
        }
    });
}

pub(super) fn before_write(file: &File, path: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
    remember(path);
    count().inspect_err(|error| {
        // The write that hits the planned fault had reached the page cache by half.
        if error.kind() == io::ErrorKind::StorageFull {
            file.write_all_at(&bytes[..bytes.len() / 2], offset).expect("the test's own file is writable");
        }
    })
}

pub(super) fn before_change(path: &Path) -> io::Result<()> {
    remember(path);
    count()
}

/// Whether the sync is done: a simulated disk needs no real one, and the tests are fast without.
pub(super) fn sync(path: &Path) -> io::Result<bool> {
    count()?;
    Ok(MACHINE.with_borrow_mut(|m| {
        m.durable.remove(path);
        m.remaining.is_some()
    }))
}

/// As [`sync`], for the names in a directory.
pub(super) fn sync_directory(directory: &Path) -> io::Result<bool> {
    count()?;
    Ok(MACHINE.with_borrow_mut(|m| {
        m.renames.retain(|(target, _)| super::parent(target) != directory);
        m.remaining.is_some()
    }))
}

pub(super) fn before_rename(_from: &Path, to: &Path) -> io::Result<()> {
    count()?;
    MACHINE.with_borrow_mut(|m| {
        if m.remaining.is_some() {
            m.renames.push((to.to_path_buf(), fs::read(to).ok()));
        }
    });
    Ok(())
}
