//! Runs targets on hostile inputs, on all cores, and tells of every input that a target does not bear.
//!
//! A target is a function of bytes that says what it made of them, or what is wrong with itself. Input number n of a
//! target is a function of the seed, the target's name and n, so a failure is repeated by naming these. Five things are
//! failures: a panic, a complaint of the target, a valid input that is refused, memory out of proportion to the input, and
//! time out of proportion to the target's median. Whatever never ends is ended by a watchdog, which names the input first.
//!
//! The engine knows none of our types: the node's own tests use it for what only the node can see.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use super::mutate::{Random, mutate};

/// What a target made of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is what the target takes.
    Accepted,
    /// It is not, and was refused as it should be.
    Refused,
}

/// What a target makes of an input, or what is wrong: a few words that name the broken property, then a colon and more.
pub type Check = Box<dyn Fn(&[u8]) -> Result<Seen, String> + Send + Sync>;

/// Makes an input that gets further than a damaged one does.
pub type Make = Box<dyn Fn(&mut Random) -> Vec<u8> + Send + Sync>;

/// Runs its argument, and tells how many bytes were allocated at once at most.
pub type Measure = fn(&mut dyn FnMut()) -> u64;

/// One entrance.
pub struct Target {
    /// Its name, the same for ever: inputs and regressions are found by it.
    pub name: &'static str,
    share: u32,
    corpus: Vec<Vec<u8>>,
    make: Option<Make>,
    words: &'static [&'static [u8]],
    /// Bytes that may be allocated for each byte of input, and besides.
    memory: Option<(u64, u64)>,
    check: Check,
}

/// Longest input, in bytes: above what most entrances take at all.
const INPUT_BYTES_MAX: usize = 48 * 1024;

/// Inputs of one target that a thread takes at once.
const CHUNK: u64 = 200;

/// One input in so many has its memory measured.
const MEASURED_ONE_IN: u64 = 16;

/// Below this no input is slow, whatever the median: while seven builds shared two cores, the best of three tries of an
/// input of 0.2 ms was 76 ms once.
const SLOW_FLOOR: Duration = Duration::from_millis(250);

/// So many times the median is slow.
const SLOW_TIMES: u32 = 200;

/// After this an input will never end.
const HANG: Duration = Duration::from_secs(30);

/// Most failures of one target that are kept.
const KEPT_MAX: usize = 3;

impl Target {
    /// A target that gets `share` parts of all inputs. Everything in the corpus must be accepted.
    pub fn new(
        name: &'static str,
        share: u32,
        corpus: Vec<Vec<u8>>,
        check: impl Fn(&[u8]) -> Result<Seen, String> + Send + Sync + 'static,
    ) -> Self {
        assert!(!corpus.is_empty(), "{name}: without a valid input nothing hostile gets far");
        Self { name, share, corpus, make: None, words: &[], memory: None, check: Box::new(check) }
    }

    /// Half of the inputs begin as one of these.
    #[must_use]
    pub fn making(mut self, make: impl Fn(&mut Random) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.make = Some(Box::new(make));
        self
    }

    /// Words that mean something in the format.
    #[must_use]
    pub const fn knowing(mut self, words: &'static [&'static [u8]]) -> Self {
        self.words = words;
        self
    }

    /// Most bytes that may be allocated: so many for each byte of input, and so many besides.
    #[must_use]
    pub const fn within(mut self, for_each_byte: u64, besides: u64) -> Self {
        self.memory = Some((for_each_byte, besides));
        self
    }

    /// The valid inputs.
    pub fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    /// Input number `index` of a seed, and whether it must be accepted.
    pub fn input(&self, seed: u64, index: u64) -> (Vec<u8>, bool) {
        if let Some(valid) = usize::try_from(index).ok().and_then(|index| self.corpus.get(index)) {
            return (valid.clone(), true);
        }
        let mut random = Random::of(seed, self.name, index);
        if random.once_in(64) {
            let count = random.below(300);
            return (random.bytes(count), false);
        }
        let made = match &self.make {
            Some(make) if random.once_in(2) => {
                let made = make(&mut random);
                if random.once_in(2) {
                    return (made, false);
                }
                made
            }
            _ => random.pick(&self.corpus).clone(),
        };
        let other = random.pick(&self.corpus).clone();
        (mutate(&mut random, made, &other, self.words, INPUT_BYTES_MAX), false)
    }

    /// The same; a panic on the way is a complaint, because what makes inputs uses the code that is tested.
    fn made(&self, seed: u64, index: u64) -> Result<(Vec<u8>, bool), String> {
        caught(|| self.input(seed, index)).map_err(|panic| format!("while it was made, {panic}"))
    }

    /// What is wrong with the target's answer to an input, and what the answer was. A panic is a complaint.
    pub fn judge(&self, input: &[u8], measure: Option<Measure>) -> Result<Seen, String> {
        let mut answer = None;
        let mut work = || answer = Some(caught(|| (self.check)(input)));
        let peak = match measure {
            Some(measure) => Some(measure(&mut work)),
            None => {
                work();
                None
            }
        };
        let answer = answer.unwrap_or_else(|| Err("panic: without a word".to_owned()))?;
        if let (Some(peak), Some((for_each_byte, besides))) = (peak, self.memory) {
            let most = for_each_byte.saturating_mul(input.len() as u64).saturating_add(besides);
            if peak > most {
                return Err(format!("memory: {peak} bytes for an input of {}, at most {most} are right", input.len()));
            }
        }
        answer
    }
}

thread_local! {
    /// Whether a panic of this thread belongs to an input.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What `work` gives, or where and why it panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    quietly();
    PANIC.with(|panic| *panic.borrow_mut() = None);
    WATCHED.with(|watched| watched.set(true));
    let result = catch_unwind(AssertUnwindSafe(work));
    WATCHED.with(|watched| watched.set(false));
    let said = || PANIC.with(|panic| panic.borrow_mut().take());
    result.map_err(|_| said().unwrap_or_else(|| "panic: without a word".to_owned()))
}

/// Panics of inputs are kept instead of printed; all others are printed as ever.
fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !WATCHED.with(Cell::get) {
                return before(info);
            }
            let place = info.location().map(|at| format!("{} line {}", at.file(), at.line())).unwrap_or_default();
            let said = info.payload_as_str().unwrap_or("no text").chars().take(300).collect::<String>();
            PANIC.with(|panic| *panic.borrow_mut() = Some(format!("panic at {place}: {said}")));
        }));
    });
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From which all inputs follow.
    pub seed: u64,
    /// How many, over all targets.
    pub inputs: u64,
    /// Only this target.
    pub target: Option<String>,
    /// Only this input of it.
    pub input: Option<u64>,
    /// How memory is measured, if it is.
    pub measure: Option<Measure>,
}

/// An input that a target did not bear.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The target.
    pub target: &'static str,
    /// The input's number; none for one that was kept from an earlier run.
    pub index: Option<u64>,
    /// What is wrong.
    pub complaint: String,
    /// The input.
    pub input: Vec<u8>,
}

/// How a target fared.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The target.
    pub target: &'static str,
    /// Inputs that it saw.
    pub inputs: u64,
    /// Of these, how many it accepted.
    pub accepted: u64,
    /// The median time of an input, in nanoseconds.
    pub median_ns: u64,
    /// The longest time of an input, in nanoseconds.
    pub longest_ns: u64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// Target by target.
    pub tallies: Vec<Tally>,
    /// At most three for each target.
    pub failures: Vec<Failure>,
    /// By how much the process grew at most, in MB.
    pub growth_mb: u64,
}

#[derive(Default)]
struct Progress {
    inputs: AtomicU64,
    accepted: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    /// Some times, for the median; and all that were long.
    times: Mutex<Vec<u64>>,
    slow: Mutex<Vec<(u64, u64)>>,
    longest: AtomicU64,
}

impl Progress {
    /// Keeps a failure, unless there is one of its kind.
    fn fail(&self, failure: Failure) {
        let mut failures = locked(&self.failures);
        let is_new = !failures.iter().any(|other| kind(&other.complaint) == kind(&failure.complaint));
        if is_new && failures.len() < KEPT_MAX {
            failures.push(failure);
        }
    }
}

/// What a thread is at: the target's place, the input's number, and the milliseconds since the start, plus one.
#[derive(Default)]
struct Slot {
    target: AtomicUsize,
    index: AtomicU64,
    since: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the inputs, those that were kept from earlier failures first.
pub fn run(targets: &[Target], plan: &Plan, kept: impl Fn(&Target) -> Vec<Vec<u8>>) -> Report {
    let wanted: Vec<&Target> =
        targets.iter().filter(|target| plan.target.as_ref().is_none_or(|name| name == target.name)).collect();
    assert!(!wanted.is_empty(), "there is no target {:?}", plan.target);
    let progress: Vec<Progress> = wanted.iter().map(|_| Progress::default()).collect();
    let before = resident_mb();
    for (target, progress) in wanted.iter().zip(&progress) {
        for input in kept(target) {
            if let Err(complaint) = target.judge(&input, plan.measure) {
                locked(&progress.failures).push(Failure { target: target.name, index: None, complaint, input });
            }
            progress.inputs.fetch_add(1, Ordering::Relaxed);
        }
    }
    let shares: u64 = wanted.iter().map(|target| u64::from(target.share)).sum();
    let mut chunks: Vec<(usize, std::ops::Range<u64>)> = Vec::new();
    for (place, target) in wanted.iter().enumerate() {
        let count = (plan.inputs * u64::from(target.share)).div_ceil(shares).max(target.corpus.len() as u64);
        match plan.input {
            Some(index) => chunks.push((place, index..index + 1)),
            None => chunks.extend((0..count).step_by(CHUNK as usize).map(|at| (place, at..count.min(at + CHUNK)))),
        }
    }
    // All targets side by side, so that slow ones do not wait for the end.
    chunks.sort_by_key(|(place, inputs)| (inputs.start / CHUNK * u64::from(u16::MAX) / (plan.inputs + 1), *place));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let slots: Vec<Slot> = (0..threads).map(|_| Slot::default()).collect();
    let (next, done, most) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (wanted, progress, chunks, slots, next, done, most) =
            (&wanted, &progress, &chunks, &slots, &next, &done, &most);
        let watch = scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(resident_mb(), Ordering::Relaxed);
                end_hangs(wanted, slots, start, plan.seed);
                std::thread::park_timeout(Duration::from_millis(50));
            }
        });
        let workers: Vec<_> = slots
            .iter()
            .map(|slot| {
                scope.spawn(move || {
                    while let Some((place, inputs)) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        slot.target.store(*place, Ordering::Relaxed);
                        // A stack that overflows ends the process, and then the thread's name is all that is told.
                        let name = format!("{} {}..{}", wanted[*place].name, inputs.start, inputs.end);
                        std::thread::scope(|scope| {
                            let work = || chunk(wanted[*place], &progress[*place], inputs.clone(), plan, slot, start);
                            let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, work);
                            thread
                                .expect("a thread for each core and chunk")
                                .join()
                                .expect("inputs' panics are caught");
                        });
                    }
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        // The watch ends whatever became of the workers, or a bug here would look like a hang.
        done.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        ended.into_iter().for_each(|worker| worker.expect("inputs' panics are caught"));
    });
    let growth_mb = most.load(Ordering::Relaxed).max(resident_mb()).saturating_sub(before);
    let mut report = Report { tallies: Vec::new(), failures: Vec::new(), growth_mb };
    for (target, progress) in wanted.iter().zip(&progress) {
        let mut times = locked(&progress.times);
        times.sort_unstable();
        let median_ns = times.get(times.len() / 2).copied().unwrap_or(0);
        report.failures.append(&mut locked(&progress.failures));
        let limit = (SLOW_FLOOR.as_nanos() as u64).max(median_ns.saturating_mul(u64::from(SLOW_TIMES)));
        let slow = locked(&progress.slow).iter().find(|(_, time)| *time > limit).copied();
        if let Some((index, time)) = slow {
            let complaint = format!("slow: {time} ns, where the median is {median_ns} ns");
            let input = target.input(plan.seed, index).0;
            report.failures.push(Failure { target: target.name, index: Some(index), complaint, input });
        }
        report.tallies.push(Tally {
            target: target.name,
            inputs: progress.inputs.load(Ordering::Relaxed),
            accepted: progress.accepted.load(Ordering::Relaxed),
            median_ns,
            longest_ns: progress.longest.load(Ordering::Relaxed),
        });
    }
    report
}

fn chunk(target: &Target, progress: &Progress, inputs: std::ops::Range<u64>, plan: &Plan, slot: &Slot, start: Instant) {
    let (mut accepted, mut longest, mut times) = (0, 0, Vec::new());
    let count = inputs.end - inputs.start;
    for index in inputs {
        let (input, is_valid) = match target.made(plan.seed, index) {
            Ok(made) => made,
            Err(complaint) => {
                progress.fail(Failure { target: target.name, index: Some(index), complaint, input: Vec::new() });
                continue;
            }
        };
        slot.index.store(index, Ordering::Relaxed);
        slot.since.store(start.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
        let measure = plan.measure.filter(|_| index % MEASURED_ONE_IN == 0);
        let begun = Instant::now();
        let answer = target.judge(&input, measure);
        let mut time = begun.elapsed();
        if time > SLOW_FLOOR {
            // Another program may have had the core: the best of three counts.
            for _ in 0..2 {
                let begun = Instant::now();
                let _ = target.judge(&input, None);
                time = time.min(begun.elapsed());
            }
        }
        slot.since.store(0, Ordering::Relaxed);
        let time_ns = time.as_nanos() as u64;
        if time > SLOW_FLOOR {
            locked(&progress.slow).push((index, time_ns));
        }
        if index % 8 == 0 {
            times.push(time_ns);
        }
        longest = longest.max(time_ns);
        let complaint = match answer {
            Ok(Seen::Accepted) => {
                accepted += 1;
                continue;
            }
            Ok(Seen::Refused) if is_valid => "valid and refused: input of the corpus".to_owned(),
            Ok(Seen::Refused) => continue,
            Err(complaint) => complaint,
        };
        progress.fail(Failure { target: target.name, index: Some(index), complaint, input });
    }
    progress.inputs.fetch_add(count, Ordering::Relaxed);
    progress.accepted.fetch_add(accepted, Ordering::Relaxed);
    progress.longest.fetch_max(longest, Ordering::Relaxed);
    locked(&progress.times).append(&mut times);
}

/// The part of a complaint that stays the same while its input shrinks.
pub fn kind(complaint: &str) -> &str {
    complaint.split(':').next().unwrap_or_default()
}

fn end_hangs(targets: &[&Target], slots: &[Slot], start: Instant, seed: u64) {
    for slot in slots {
        let since = slot.since.load(Ordering::Relaxed);
        let now = start.elapsed().as_millis() as u64;
        if since == 0 || now.saturating_sub(since) < HANG.as_millis() as u64 {
            continue;
        }
        let (target, index) = (targets[slot.target.load(Ordering::Relaxed)], slot.index.load(Ordering::Relaxed));
        let input = target.made(seed, index).map(|made| made.0).unwrap_or_default();
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("target {}, seed {seed}, input {index} does not end: {digits}", target.name);
        std::process::abort();
    }
}

/// Memory of this process, in MB; 0 where nobody tells.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
