//! What finding transactions again costs: processor time for each attestation added, disk, look-ups, and opening again.
//!
//! `cargo run --release --workspace --example index_cost -- places 10000000` for the places that the node uses, or `fjall`
//! for the same names as three keys of an engine. Blocks of 1,000 attestations, as a busy node has. It knows neither blocks
//! nor signatures, so nothing else is in the figures.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use cairn_storage::{Batch, Engine, Family, Index, Keyspace, Place, Places, Seeded, open_index, real_disk};
use cairn_types::Height;

/// Attestations in a block.
const BLOCK: u64 = 1_000;

/// Look-ups that are measured.
const LOOK_UPS: u64 = 2_000;

/// Clock ticks of the kernel in a second, as every Linux that Rust supports reports processor time.
const TICKS_PER_SECOND: f64 = 100.0;

/// Who keeps the names.
enum Keeper {
    Places(Box<Places>),
    Engine(std::sync::Arc<dyn Index>),
}

fn name(kind: u8, number: u64) -> [u8; 32] {
    let mut random = Seeded::new(number.wrapping_mul(3).wrapping_add(u64::from(kind)));
    let mut name = [0; 32];
    name.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.next().to_le_bytes()));
    name
}

/// Processor time of this process so far, in seconds.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

fn bytes_in(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

impl Keeper {
    fn open(kind: &str, directory: &Path, blocks: u64) -> Result<Self, Box<dyn Error>> {
        Ok(match kind {
            "places" => {
                let places = Places::open(real_disk(), directory, Height::new(1), Height::new(blocks + 1))?;
                Self::Places(Box::new(places))
            }
            _ => Self::Engine(open_index(directory, Engine::Fjall)?.0),
        })
    }

    fn add(&self, height: u64) -> Result<(), Box<dyn Error>> {
        let numbers = (height - 1) * BLOCK..height * BLOCK;
        match self {
            Self::Places(places) => {
                let mut block = places.begin(Height::new(height));
                for (index, number) in (0..).zip(numbers) {
                    block.push(Family::Transactions, &name(0, number), index);
                    block.push(Family::Attestations, &name(1, number), index);
                    block.push(Family::Contents, &name(2, number), index);
                }
                places.add(block)?;
                if places.is_due() {
                    places.work()?;
                }
            }
            Self::Engine(index) => {
                let mut batch = Batch::new();
                for number in numbers {
                    let place = [height.to_be_bytes(), number.to_be_bytes()].concat();
                    batch.put(Keyspace::Lists, name(0, number), place.clone());
                    batch.put(Keyspace::History, [&name(1, number)[..], &[0; 8]].concat(), place.clone());
                    batch.put(Keyspace::State, [&name(2, number)[..], &place].concat(), Vec::new());
                }
                index.write(&batch)?;
            }
        }
        Ok(())
    }

    fn is_found(&self, number: u64) -> Result<bool, Box<dyn Error>> {
        Ok(match self {
            Self::Places(places) => {
                let found = places.first_of(Family::Transactions, &name(0, number))?;
                found == Some(Place { height: Height::new(number / BLOCK + 1), index: (number % BLOCK) as u32 })
            }
            Self::Engine(index) => index.get(Keyspace::Lists, &name(0, number))?.is_some(),
        })
    }

    fn close(self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Places(places) => places.close()?,
            Self::Engine(index) => index.close()?,
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "places".to_owned());
    let attestations: u64 = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("kept");
    let (blocks, step) = (attestations / BLOCK, (attestations / BLOCK / 10).max(1));
    let keeper = Keeper::open(&kind, &path, blocks)?;
    let (mut last, mut longest) = (processor_seconds()?, 0.0_f64);
    println!("{kind}: {attestations} attestations of three names each");
    for height in 1..=blocks {
        let began = Instant::now();
        keeper.add(height)?;
        longest = longest.max(began.elapsed().as_secs_f64());
        if height % step == 0 {
            let now = processor_seconds()?;
            let each = (now - last) * 1e6 / (step * BLOCK) as f64;
            println!("  at {:>9}: {each:6.2} us of processor time each", height * BLOCK);
            last = now;
        }
    }
    println!("  longest call: {:.0} ms", longest * 1e3);
    let mut random = Seeded::new(7);
    for (what, from) in [("present", 0), ("absent", attestations)] {
        let before = Instant::now();
        for _ in 0..LOOK_UPS {
            let number = from + random.below(attestations);
            if keeper.is_found(number)? == (from > 0) {
                return Err(format!("{what} name {number} is not answered rightly").into());
            }
        }
        println!("  look-up, {what}: {:.1} us", before.elapsed().as_secs_f64() * 1e6 / LOOK_UPS as f64);
    }
    keeper.close()?;
    println!("  disk: {:.1} bytes each", bytes_in(&path)? as f64 / attestations as f64);
    let before = Instant::now();
    let keeper = Keeper::open(&kind, &path, blocks)?;
    println!("  opened again in {:.0} ms", before.elapsed().as_secs_f64() * 1e3);
    if !keeper.is_found(attestations / 2)? {
        return Err("a name is gone".into());
    }
    keeper.close()
}
