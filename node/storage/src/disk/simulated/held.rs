//! What a process holds of the simulated disk: open files, and locks. Both end with the process that took them.

use std::io;
use std::path::PathBuf;

use super::content::Content;
use super::{SimulatedDisk, State};
use crate::disk::{Lock, OpenFile};

/// An open file of the simulated disk.
#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) disk: SimulatedDisk,
    pub(super) number: u64,
    pub(super) life: u64,
    pub(super) is_writable: bool,
}

impl SimulatedFile {
    /// Runs a piece on the file's content, unless the process that opened it is dead.
    fn with<T>(&self, run: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock_state();
        if state.life != self.life {
            return Err(io::Error::other("the process that opened this file is dead"));
        }
        run(&mut state, self.number)
    }

    fn content(state: &mut State, number: u64) -> io::Result<&mut Content> {
        // An open file that was removed is gone here: nothing in this crate goes on with one.
        state.files.get_mut(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn refuse_if_read_only(&self) -> io::Result<()> {
        if self.is_writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl OpenFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|state, number| {
            state.alive()?;
            Ok(Self::content(state, number)?.length())
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, number| {
            state.alive()?;
            Ok(Self::content(state, number)?.read_at(buffer, offset))
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.refuse_if_read_only()?;
        self.with(|state, number| {
            state.alive()?;
            let outcome = state.count();
            let free = state.capacity.map(|capacity| capacity.saturating_sub(state.used));
            let content = Self::content(state, number)?;
            let length = content.length();
            // A write that fails has reached the page cache by half; one that does not fit, as far as there was room.
            let room = free.map_or(u64::MAX, |free| length.saturating_add(free).saturating_sub(offset));
            let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let taken = if outcome.is_err() { fits / 2 } else { fits };
            if taken > 0 {
                content.write_at(bytes.get(..taken).unwrap_or_default(), offset);
            }
            let grown = content.length().saturating_sub(length);
            state.used = state.used.saturating_add(grown);
            outcome?;
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.refuse_if_read_only()?;
        self.with(|state, number| {
            state.count()?;
            let content = Self::content(state, number)?;
            let before = content.length();
            content.set_length(length);
            state.used = state.used.saturating_sub(before).saturating_add(length);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, number| {
            state.count()?;
            Self::content(state, number)?.sync();
            Ok(())
        })
    }
}

/// A held lock; a lock of a dead process holds nothing.
#[derive(Debug)]
pub(super) struct SimulatedLock {
    pub(super) disk: SimulatedDisk,
    pub(super) path: PathBuf,
    pub(super) life: u64,
}

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.locks.get(&self.path) == Some(&self.life) {
            state.locks.remove(&self.path);
        }
    }
}
