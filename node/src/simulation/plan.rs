//! What a seed draws before a world begins: how large it is, how bad its network, who lies, and what happens when.

use super::random::Random;
use super::villain::Villain;

/// What is wrong with a seat, for the whole run. All such seats together have less than a third of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It lies.
    Villain(Villain),
    /// Bits of its disk flip while it is off.
    Rot,
    /// Its wall clock is off by more than the allowed drift, until everything heals.
    Clock,
}

/// How the links behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub(super) delay_ms: (u64, u64),
    pub(super) loss_permille: u64,
    pub(super) duplicate_permille: u64,
}

/// Links after everything has healed.
pub(super) const HEALED: Links = Links { delay_ms: (1, 20), loss_permille: 0, duplicate_permille: 0 };

/// Something that happens at some time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// The power goes at the `operations`-th write or sync from now.
    PowerCut { node: usize, operations: u64 },
    /// The process is killed between two steps; the machine goes on.
    Kill { node: usize },
    /// One write or sync fails.
    BadSector { node: usize, operations: u64 },
    /// The disk is full from now on.
    Full { node: usize },
    /// These nodes, by bits, are cut off from the others; with `one_way` only what they send is lost.
    Cut { side: u64, one_way: bool },
    /// No cut any more.
    Mend,
    /// Somebody submits a transaction.
    Submit,
    /// The council changes the validators.
    Council,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) validators: usize,
    /// Nodes without a vote at first; they join late.
    pub(super) observers: usize,
    /// By seat.
    pub(super) faults: Vec<Option<Fault>>,
    pub(super) links: Links,
    /// By how much each node's wall clock is wrong.
    pub(super) offsets_ms: Vec<i64>,
    /// How long each node takes for what arrives.
    pub(super) slow_ms: Vec<u64>,
    pub(super) joins_ms: Vec<u64>,
    pub(super) troubles: Vec<(u64, Trouble)>,
    /// When everything heals.
    pub(super) heals_ms: u64,
}

impl Plan {
    pub(super) fn draw(random: &mut Random) -> Self {
        let validators = random.pick(&[4, 4, 4, 4, 4, 4, 5, 5, 6, 7]);
        let observers = random.pick(&[0, 0, 1, 1, 2]);
        let nodes = validators + observers;
        let heals_ms = random.between(1_500, 5_500);
        let offset = |random: &mut Random, most: i64| {
            let width = u64::try_from(2 * most).expect("a small number");
            i64::try_from(random.between(0, width)).expect("a small number") - most
        };
        let mut plan = Self {
            validators,
            observers,
            faults: vec![None; nodes],
            links: draw_links(random),
            offsets_ms: (0..nodes).map(|_| offset(random, 400)).collect(),
            slow_ms: (0..nodes).map(|_| if random.chance(150) { random.between(20, 300) } else { 0 }).collect(),
            joins_ms: (0..nodes).map(|node| if node < validators { 0 } else { random.between(0, heals_ms) }).collect(),
            troubles: Vec::new(),
            heals_ms,
        };
        for _ in 0..(validators - 1) / 3 {
            if random.chance(650) {
                let seat = random.below(validators);
                let fault = draw_fault(random);
                if fault == Fault::Clock {
                    plan.offsets_ms[seat] = random.pick(&[-1, 1]) * offset(random, 20_000).abs().max(3_000);
                }
                plan.faults[seat] = Some(fault);
            }
        }
        plan.draw_troubles(random);
        plan
    }

    fn draw_troubles(&mut self, random: &mut Random) {
        let nodes = self.validators + self.observers;
        let quiet = random.chance(100);
        for _ in 0..if quiet { 0 } else { random.between(1, 7) } {
            let at = random.between(0, self.heals_ms);
            let node = random.below(nodes);
            let trouble = match random.below(16) {
                0..=6 => Trouble::PowerCut { node, operations: random.between(0, 40) },
                7..=8 => Trouble::Kill { node },
                9 => Trouble::BadSector { node, operations: random.between(0, 20) },
                10 => Trouble::Full { node },
                _ => {
                    self.troubles.push((at + random.between(200, 4_000), Trouble::Mend));
                    Trouble::Cut { side: random.between(1, (1 << nodes) - 2), one_way: random.chance(400) }
                }
            };
            self.troubles.push((at, trouble));
        }
        for _ in 0..random.between(0, 12) {
            self.troubles.push((random.between(0, self.heals_ms), Trouble::Submit));
        }
        for _ in 0..random.pick(&[0, 0, 0, 0, 0, 0, 1, 2]) {
            self.troubles.push((random.between(0, self.heals_ms), Trouble::Council));
        }
    }
}

fn draw_links(random: &mut Random) -> Links {
    Links {
        delay_ms: (1, random.pick(&[5, 20, 50, 100, 400])),
        loss_permille: if random.chance(500) { random.between(0, 300) } else { 0 },
        duplicate_permille: if random.chance(400) { random.between(0, 500) } else { 0 },
    }
}

fn draw_fault(random: &mut Random) -> Fault {
    match random.below(12) {
        0 => Fault::Rot,
        1 => Fault::Clock,
        2..=4 => Fault::Villain(Villain::Twin),
        5..=6 => Fault::Villain(Villain::Equivocator),
        7 => Fault::Villain(Villain::Withholder),
        8 => Fault::Villain(Villain::Liar),
        9 => Fault::Villain(Villain::Spammer),
        10 => Fault::Villain(Villain::ProposesInvalid),
        _ => Fault::Villain(Villain::Silent),
    }
}
