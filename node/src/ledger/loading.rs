//! The state, out of the index: one thread reads, and another builds the tree.
//!
//! ```text
//! index ──► entries, side by side in slabs of a megabyte ──► StateTree::from_sorted
//! ```
//!
//! Each side takes about half of the time. What is read lies in few large blocks of memory, so that the tree is not left with
//! a hole wherever an entry was. It does not know which state it ought to be: whoever asks compares roots.

use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::thread;

use cairn_proofs::tree::StateTree;
use cairn_storage::{Index, Keyspace, StorageError};

/// Bytes of entries in a slab, after which it is handed on. All entries beside the tree would take three times its memory.
const SLAB_BYTES: usize = 1024 * 1024;

/// Slabs that wait to be built in, while the next one is read.
const SLABS_WAITING: usize = 2;

/// Keys and values, one after the other.
#[derive(Default)]
struct Slab {
    bytes: Vec<u8>,
    /// Where each key and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Slab {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    /// The entries, each of which holds all of the slab.
    fn entries(self) -> impl Iterator<Item = (Piece, Piece)> {
        let slab = Rc::new(self.bytes);
        let mut start = 0;
        self.ends.into_iter().map(move |(key_end, end)| {
            let piece = |from, to| Piece { slab: Rc::clone(&slab), from, to };
            let entry = (piece(start, key_end), piece(key_end, end));
            start = end;
            entry
        })
    }
}

/// A key or a value in a slab.
struct Piece {
    slab: Rc<Vec<u8>>,
    from: usize,
    to: usize,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.slab.get(self.from..self.to).expect("pieces are made with their slab")
    }
}

/// The state that the index holds; `None` if its entries are not those of a state.
///
/// # Errors
/// [`StorageError`]: the disk or the engine is to blame.
pub(crate) fn state(index: &dyn Index) -> Result<Option<StateTree>, StorageError> {
    thread::scope(|scope| {
        let (sender, slabs) = sync_channel::<Slab>(SLABS_WAITING);
        let reading = move || {
            let mut slab = Slab::default();
            index.visit(Keyspace::State, &[], None, &mut |key, value| {
                slab.push(key, value);
                // Nobody takes it if an entry was refused.
                slab.bytes.len() < SLAB_BYTES || sender.send(std::mem::take(&mut slab)).is_ok()
            })?;
            let _ = sender.send(slab);
            Ok(())
        };
        let reading = thread::Builder::new().name("load".to_owned()).spawn_scoped(scope, reading);
        let reading = reading.expect("the system can start a thread at the start");
        let state = StateTree::from_sorted(slabs.into_iter().flat_map(Slab::entries));
        // Without all entries it is not the state.
        let read: Result<(), StorageError> = reading.join().expect("engines contain their panics");
        read.map(|()| state.ok())
    })
}
