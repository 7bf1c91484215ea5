//! The scenarios: what network, and what is measured of it, in which order.

use crate::fleet::Kind;
use crate::stand::StandPlan;

/// Something that is measured of a running network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Finality of single transactions, memory and CPU while nothing happens.
    Idle,
    /// What making the index from the block log took.
    Rebuild,
    /// A node that has nothing follows, by executing every block.
    CatchUp,
    /// A node is stopped and started, and killed and started.
    Restart,
    /// Who attested this content?
    Audit,
    /// A bundle is made by a node and judged by the library.
    Bundles,
    /// The highest rate at which everything becomes final, held.
    Sustained(Kind),
    /// Latency at half of that rate.
    Half(Kind),
    /// Latency at tenths of that rate.
    Curve(Kind),
    /// The cost of a transaction at a modest rate, the same for every size of the ledger.
    Cost,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    words: &'static str,
    /// Whether a quick run has it.
    pub(crate) in_quick: bool,
    /// Whether its figures are those that others look for by name.
    pub(crate) is_headline: bool,
    pub(crate) stand: StandPlan,
    pub(crate) parts: &'static [Part],
}

impl Scenario {
    /// The scenario as `--list` shows it.
    pub(crate) fn line(&self) -> String {
        let quick = if self.in_quick { "quick" } else { "" };
        format!("{:<13} {quick:<5}  {}", self.name, self.words)
    }
}

const FOUR: StandPlan = StandPlan { validators: 4, devices: 10_000, silent: 0, attestations: 100_000, one_dead: false };
const LOADED: &[Part] = &[Part::Sustained(Kind::Attest), Part::Half(Kind::Attest)];
const MANY_DEVICES: &[Part] =
    &[Part::Rebuild, Part::Restart, Part::Idle, Part::Audit, Part::Sustained(Kind::Attest), Part::Half(Kind::Attest)];
const SIZED: &[Part] = &[Part::Rebuild, Part::Restart, Part::Audit, Part::Bundles, Part::Cost];

const fn scenario(name: &'static str, words: &'static str, stand: StandPlan, parts: &'static [Part]) -> Scenario {
    Scenario { name, words, in_quick: false, is_headline: false, stand, parts }
}

const fn sized(name: &'static str, words: &'static str, attestations: u64) -> Scenario {
    scenario(name, words, StandPlan { attestations, ..FOUR }, SIZED)
}

/// All of them, in the order in which they run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        in_quick: true,
        is_headline: true,
        ..scenario(
            "idle",
            "four validators and nothing to do but one transaction after the other",
            StandPlan { devices: 16, attestations: 0, ..FOUR },
            &[Part::Idle],
        )
    },
    Scenario {
        in_quick: true,
        is_headline: true,
        ..scenario(
            "ledger",
            "100,000 attestations: index, a new node, a restart, audits, bundles",
            FOUR,
            &[Part::Rebuild, Part::CatchUp, Part::Restart, Part::Audit, Part::Bundles],
        )
    },
    scenario("devices-1", "attestations from one device", StandPlan { devices: 1, attestations: 100, ..FOUR }, LOADED),
    Scenario {
        in_quick: true,
        is_headline: true,
        ..scenario(
            "devices-16",
            "attestations from 16 devices, and batches of 1,000 readings",
            StandPlan { devices: 16, ..FOUR },
            &[
                Part::Sustained(Kind::Attest),
                Part::Half(Kind::Attest),
                Part::Sustained(Kind::Batch),
                Part::Curve(Kind::Attest),
            ],
        )
    },
    Scenario { in_quick: true, ..scenario("devices-10000", "attestations from 10,000 devices", FOUR, LOADED) },
    scenario(
        "register",
        "registrations of new devices",
        FOUR,
        &[Part::Sustained(Kind::Register), Part::Half(Kind::Register)],
    ),
    scenario(
        "mixed",
        "nine attestations in ten, with registrations and grants",
        FOUR,
        &[Part::Sustained(Kind::Mixed), Part::Half(Kind::Mixed)],
    ),
    scenario("validators-7", "attestations, agreed on by seven", StandPlan { validators: 7, ..FOUR }, LOADED),
    scenario("one-dead", "attestations, one of the four validators down", StandPlan { one_dead: true, ..FOUR }, LOADED),
    scenario(
        "devices-1e6",
        "attestations from a million devices, and what they take",
        StandPlan { devices: 1_000_000, attestations: 1_000_000, ..FOUR },
        MANY_DEVICES,
    ),
    scenario(
        "silent-1e6",
        "attestations from 10,000 devices, and a million that are registered and say nothing",
        StandPlan { silent: 1_000_000, ..FOUR },
        MANY_DEVICES,
    ),
    scenario(
        "ledger-16",
        "100,000 attestations of 16 devices: index, a new node",
        StandPlan { devices: 16, ..FOUR },
        &[Part::Rebuild, Part::CatchUp],
    ),
    sized("ledger-1e4", "costs on a ledger of 10,000 attestations", 10_000),
    sized("ledger-1e5", "costs on a ledger of 100,000", 100_000),
    sized("ledger-1e6", "costs on a ledger of a million", 1_000_000),
    sized("ledger-1e7", "costs on a ledger of ten million: 4 GB a node, and eight minutes", 10_000_000),
];
