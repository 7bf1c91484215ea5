//! The places of the index, compared with the blocks of the log: every transaction must be found where it stands.
//!
//! It does not know how they are kept. It opens them on a disk that takes what is written to memory.

use cairn_storage::{DataDirectory, Engine, Family, Place, Places, StorageError};
use cairn_types::{Height, SignedTransaction};

use super::{INDEX, REBUILD};
use crate::cli::doctor::Findings;
use crate::ledger::{self, Ledger};

/// Looks every transaction of the log up by all its names.
pub(super) fn compare(directory: &DataDirectory, ledger: &Ledger, engine: Engine, findings: &mut Findings) {
    let log = &ledger.chain().log;
    let next = log.tip().and_then(Height::next).unwrap_or(log.first());
    let compared = directory
        .open_places(engine, log.first(), next)
        .map_err(|error| error.to_string())
        .and_then(|places| Ok((look_all_up(&places, ledger)?, places)));
    let (names, places) = match compared {
        Ok(compared) => compared,
        Err(reason) => return findings.broken(INDEX, reason, REBUILD),
    };
    // Places of blocks that were dropped are still there, and nothing makes them again.
    let is_whole = ledger.chain().first_block() <= Height::new(1);
    if is_whole && places.len() != names {
        let words = format!("it knows {} places, and the blocks make {names}", places.len());
        return findings.broken(INDEX, words, REBUILD);
    }
    match places.next() {
        reached if reached < next => {
            findings
                .ok(INDEX, format!("its places reach up to block {reached}; the node finds the rest when it starts"));
        }
        _ => findings.ok(INDEX, format!("{engine}: all {names} places are those of the blocks")),
    }
}

/// How many names were found where they must be; in words, the first that was not.
fn look_all_up(places: &Places, ledger: &Ledger) -> Result<u64, String> {
    let mut found: u64 = 0;
    let mut height = ledger.chain().log.first();
    while height < places.next() {
        let block = ledger.chain().block(height).map_err(|error| error.to_string())?;
        let Some((block, _)) = block else { break };
        for (index, bytes) in (0..).zip(block.transactions) {
            let transaction = SignedTransaction::from_bytes(bytes).map_err(|error| error.to_string())?;
            let place = Place { height, index };
            let mut outcome = Ok(true);
            ledger::names(&transaction, |family, name| {
                if let Ok(true) = outcome {
                    outcome = is_found(places, family, name, place);
                    found = found.saturating_add(1);
                }
            });
            if !outcome.map_err(|error| error.to_string())? {
                return Err(format!("it does not find transaction {index} of block {height} there"));
            }
        }
        height = height.next().ok_or("heights end")?;
    }
    Ok(found)
}

fn is_found(places: &Places, family: Family, name: &[u8], place: Place) -> Result<bool, StorageError> {
    if family != Family::Contents {
        return Ok(places.first_of(family, name)? == Some(place));
    }
    // The same content may stand in a million places: only the one behind the place before it is looked at.
    let before = match (place.index.checked_sub(1), place.height.previous()) {
        (Some(index), _) => Some(Place { height: place.height, index }),
        (None, Some(height)) => Some(Place { height, index: Place::INDEX_MAX }),
        (None, None) => None,
    };
    Ok(places.all_of(family, name, before, 1)? == [place])
}
