//! A disk in memory that does, on demand, what disks do: lose power, fail, fill up, rot.
//!
//! It knows what was written and what is durable apart. A power cut then does what one may do: of what was not synced,
//! each sector arrives or does not, a file has its old length, its new one or one between, and a name that was created,
//! renamed or removed without a sync of its directory has changed or not. A killed process, in contrast, loses nothing
//! that it had written. Everything random comes from the seed, so a run with the same calls is the same run.
//!
//! It does not know any format. Invariant: what was synced is there after every power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::content::Content;
use self::held::{SimulatedFile, SimulatedLock};
use self::index::{SimulatedIndex, StoredIndex};
use super::{Access, Disk, Lock, OpenFile, parent};
use crate::error::StorageError;
use crate::index::{Engine, Index, IndexState};

mod content;
mod held;
mod index;
#[cfg(test)]
mod tests;

/// A small generator, so that a failing seed can be run again.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero if the bound is.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// Heads or tails.
    pub const fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}

/// A disk in memory. Clones are the same disk, so a node can be started on it again.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// The machine stops after so many more operations.
    Stop(u64),
    /// One operation fails after so many more.
    FailOnce(u64),
}

/// A change of names in a directory that was not synced since.
#[derive(Clone, Debug)]
struct Pending {
    directory: PathBuf,
    /// Names, and what they stood for before.
    before: Vec<(PathBuf, Option<Node>)>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(u64),
}

#[derive(Clone, Debug)]
struct State {
    random: Seeded,
    names: BTreeMap<PathBuf, Node>,
    pending: Vec<Pending>,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    indexes: BTreeMap<PathBuf, StoredIndex>,
    locks: BTreeMap<PathBuf, u64>,
    /// Rises with every death of the process: older handles are dead.
    life: u64,
    operations: u64,
    plan: Option<Plan>,
    /// Whether the planned fault has happened.
    failed: bool,
    /// Whether the machine has stopped.
    stopped: bool,
    /// Bytes that all files together may have.
    capacity: Option<u64>,
    /// Bytes that all files together have.
    used: u64,
}

impl SimulatedDisk {
    /// An empty, healthy disk, whose accidents follow from the seed.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Seeded::new(seed),
            names: BTreeMap::new(),
            pending: Vec::new(),
            files: BTreeMap::new(),
            next_file: 0,
            indexes: BTreeMap::new(),
            locks: BTreeMap::new(),
            life: 0,
            operations: 0,
            plan: None,
            failed: false,
            stopped: false,
            capacity: None,
            used: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The same disk as a handle.
    pub fn handle(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Another disk with the same contents, and other accidents if the seed is another.
    pub fn fork(&self, seed: u64) -> Self {
        let mut state = self.lock_state().clone();
        state.random = Seeded::new(seed);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// How many operations changed the disk so far, or tried to: creating, writing, changing a length, syncing, renaming,
    /// removing; a batch of the index, and its flush.
    pub fn operations(&self) -> u64 {
        self.lock_state().operations
    }

    /// The machine stops after `operations` more operations: that one and all later ones, reads too, fail.
    pub fn stop_after(&self, operations: u64) {
        let mut state = self.lock_state();
        (state.plan, state.failed) = (Some(Plan::Stop(operations)), false);
    }

    /// The machine stops now.
    pub fn stop(&self) {
        self.lock_state().stopped = true;
    }

    /// One operation fails after `operations` more, like a write to a bad sector, and the disk goes on.
    pub fn fail_once_after(&self, operations: u64) {
        let mut state = self.lock_state();
        (state.plan, state.failed) = (Some(Plan::FailOnce(operations)), false);
    }

    /// All files together may have this many bytes; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock_state().capacity = bytes;
    }

    /// Bytes that all files together have.
    pub fn used_bytes(&self) -> u64 {
        self.lock_state().used
    }

    /// Ends what was planned, and tells whether it has happened. Nothing is lost by it.
    pub fn heal(&self) -> bool {
        self.lock_state().heal()
    }

    /// The process dies and the machine goes on: handles are dead, locks are free, and nothing written is lost. Ends what
    /// was planned, and tells whether it has happened.
    pub fn kill(&self) -> bool {
        let mut state = self.lock_state();
        state.life += 1;
        state.locks.clear();
        state.heal()
    }

    /// The power goes and comes again: the process is dead, and what was not synced has arrived in part. Ends what was
    /// planned, and tells whether it had happened.
    pub fn power_cut(&self) -> bool {
        let failed = self.kill();
        self.lock_state().lose_unsynced();
        failed
    }

    /// All files, by path.
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.lock_state();
        state.names.iter().filter(|(_, node)| matches!(node, Node::File(_))).map(|(path, _)| path.clone()).collect()
    }

    /// What is in a file, as a reader would see it.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        state.file(path).map(|file| file.bytes().to_vec())
    }

    /// Replaces what is in a file from outside, durably: damage of any kind. A file that is not there is made.
    pub fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.lock_state();
        let number = match state.names.get(path) {
            Some(Node::File(number)) => *number,
            _ => state.new_file(path),
        };
        state.pending.retain(|pending| pending.before.iter().all(|(name, _)| name != path));
        let before = state.files.get(&number).map_or(0, Content::length);
        state.used = state.used.saturating_sub(before).saturating_add(bytes.len() as u64);
        state.files.insert(number, Content::durable(bytes));
    }

    /// Removes a file from outside, durably.
    pub fn lose(&self, path: &Path) {
        let mut state = self.lock_state();
        state.pending.retain(|pending| pending.before.iter().all(|(name, _)| name != path));
        state.names.remove(path);
        state.forget_nameless();
    }

    /// Flips one bit of a file, durably; whether the file has that bit.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> bool {
        let mut state = self.lock_state();
        state.file_mut(path).is_some_and(|file| file.flip_bit(bit))
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the state has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn heal(&mut self) -> bool {
        (self.plan, self.stopped) = (None, false);
        std::mem::take(&mut self.failed)
    }

    /// Refuses everything while the machine is stopped.
    fn alive(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the machine has stopped")) } else { Ok(()) }
    }

    /// Counts an operation; whether it is the one that fails.
    fn count(&mut self) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        match &mut self.plan {
            Some(Plan::Stop(0)) => {
                (self.plan, self.failed, self.stopped) = (None, true, true);
                Err(io::Error::other("the machine has stopped"))
            }
            Some(Plan::FailOnce(0)) => {
                (self.plan, self.failed) = (None, true);
                Err(io::Error::other("a bad sector"))
            }
            Some(Plan::Stop(left) | Plan::FailOnce(left)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> Option<&Content> {
        match self.names.get(path) {
            Some(Node::File(number)) => self.files.get(number),
            _ => None,
        }
    }

    fn file_mut(&mut self, path: &Path) -> Option<&mut Content> {
        match self.names.get(path) {
            Some(Node::File(number)) => self.files.get_mut(number),
            _ => None,
        }
    }

    fn new_file(&mut self, path: &Path) -> u64 {
        let number = self.next_file;
        self.next_file += 1;
        self.files.insert(number, Content::default());
        self.names.insert(path.to_path_buf(), Node::File(number));
        number
    }

    fn has_directory(&self, path: &Path) -> bool {
        path == Path::new("/") || path == Path::new(".") || self.names.get(path) == Some(&Node::Directory)
    }

    fn needs_directory(&self, path: &Path) -> io::Result<()> {
        if self.has_directory(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Notes that names change, so that a power cut can undo it.
    fn names_change(&mut self, names: &[&Path]) {
        let before = names.iter().map(|name| (name.to_path_buf(), self.names.get(*name).copied())).collect();
        // The last name decides: a file that moves to another directory is there when that one is synced.
        let directory = names.last().map(|name| parent(name).to_path_buf()).unwrap_or_default();
        self.pending.push(Pending { directory, before });
    }

    /// Forgets files that no name leads to any more, now or after a power cut.
    fn forget_nameless(&mut self) {
        let before = self.pending.iter().flat_map(|pending| pending.before.iter().filter_map(|(_, node)| *node));
        let named: BTreeSet<u64> = (self.names.values().copied().chain(before))
            .filter_map(|node| if let Node::File(number) = node { Some(number) } else { None })
            .collect();
        self.files.retain(|number, _| named.contains(number));
        self.used = self.files.values().map(Content::length).sum();
    }

    fn lose_unsynced(&mut self) {
        let Self { files, random, .. } = self;
        files.values_mut().for_each(|file| file.lose_unsynced(random));
        // Backwards, and a change stays if a later one that stays rests on it.
        let mut kept: BTreeSet<PathBuf> = BTreeSet::new();
        for pending in std::mem::take(&mut self.pending).into_iter().rev() {
            if pending.before.iter().any(|(name, _)| kept.contains(name)) || self.random.coin() {
                kept.extend(pending.before.into_iter().map(|(name, _)| name));
                continue;
            }
            for (name, before) in pending.before {
                match before {
                    Some(node) => self.names.insert(name, node),
                    None => self.names.remove(&name),
                };
            }
        }
        // What is in a directory that was never durable went with it.
        let orphans: Vec<PathBuf> = self.names.keys().filter(|path| !self.has_ancestors(path)).cloned().collect();
        for orphan in &orphans {
            self.names.remove(orphan);
        }
        self.forget_nameless();
        let Self { indexes, random, .. } = self;
        indexes.values_mut().for_each(|index| index.lose_unsynced(random));
    }

    fn has_ancestors(&self, path: &Path) -> bool {
        let is_top = |path: &Path| path == Path::new("/") || path == Path::new(".");
        let mut at = parent(path);
        while !is_top(at) {
            if !self.has_directory(at) {
                return false;
            }
            at = parent(at);
        }
        true
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn OpenFile>> {
        let state = self.lock_state();
        state.alive()?;
        match state.names.get(path) {
            Some(Node::File(number)) => Ok(Box::new(SimulatedFile {
                disk: self.clone(),
                number: *number,
                life: state.life,
                is_writable: access == Access::Write,
            })),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let mut state = self.lock_state();
        state.count()?;
        state.needs_directory(parent(path))?;
        let number = match state.names.get(path) {
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(number)) => {
                let number = *number;
                let emptied = state.files.get_mut(&number).map_or(0, |file| {
                    let length = file.length();
                    file.set_length(0);
                    length
                });
                state.used = state.used.saturating_sub(emptied);
                number
            }
            None => {
                state.names_change(&[path]);
                state.new_file(path)
            }
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), number, life: state.life, is_writable: true }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.count()?;
        state.needs_directory(parent(to))?;
        let node = match state.names.get(from) {
            Some(Node::File(number)) => Node::File(*number),
            Some(Node::Directory) => return Err(io::ErrorKind::Unsupported.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        state.names_change(&[from, to]);
        state.names.remove(from);
        state.names.insert(to.to_path_buf(), node);
        state.forget_nameless();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.count()?;
        if !matches!(state.names.get(path), Some(Node::File(_))) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.names_change(&[path]);
        state.names.remove(path);
        state.forget_nameless();
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.count()?;
        if state.names.get(path) != Some(&Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.names.keys().any(|name| name.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.names_change(&[path]);
        state.names.remove(path);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let state = self.lock_state();
        state.alive()?;
        state.needs_directory(directory)?;
        let inside = state.names.keys().filter(|path| parent(path) == directory);
        Ok(inside.filter_map(|path| path.file_name()).map(OsString::from).collect())
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.lock_state();
        state.has_directory(path) || state.names.contains_key(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.count()?;
        state.needs_directory(parent(path))?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.names_change(&[path]);
        state.names.insert(path.to_path_buf(), Node::Directory);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.count()?;
        state.needs_directory(path)?;
        state.pending.retain(|pending| pending.directory != path);
        state.forget_nameless();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.lock_state();
        state.alive()?;
        if state.locks.contains_key(path) {
            return Ok(None);
        }
        if !state.names.contains_key(path) {
            state.needs_directory(parent(path))?;
            state.names_change(&[path]);
            state.new_file(path);
        }
        let life = state.life;
        state.locks.insert(path.to_path_buf(), life);
        Ok(Some(Box::new(SimulatedLock { disk: self.clone(), path: path.to_path_buf(), life })))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let state = self.lock_state();
        state.alive()?;
        Ok(state.capacity.unwrap_or(u64::MAX).saturating_sub(state.used))
    }

    fn fresh_salt(&self) -> [u8; 16] {
        let mut state = self.lock_state();
        let mut salt = [0; 16];
        salt.chunks_mut(8).for_each(|half| half.copy_from_slice(&state.random.next().to_le_bytes()));
        salt
    }

    /// Whatever the engine, the index is a simulated one, which holds its first batches whole after every accident.
    fn open_index(&self, directory: &Path, _: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
        let mut state = self.lock_state();
        state.alive().map_err(StorageError::io("open", directory))?;
        let index_state = match state.indexes.get_mut(directory) {
            Some(stored) => {
                stored.reopen();
                IndexState::Opened
            }
            None => {
                state.indexes.insert(directory.to_path_buf(), StoredIndex::default());
                IndexState::Fresh
            }
        };
        Ok((Arc::new(SimulatedIndex::new(self.clone(), directory.to_path_buf(), state.life)), index_state))
    }

    fn discard_index(&self, directory: &Path) -> Result<(), StorageError> {
        let mut state = self.lock_state();
        state.count().map_err(StorageError::io("remove", directory))?;
        state.indexes.remove(directory);
        Ok(())
    }
}
