//! What is measured of a running network: one function a part.

use crate::floors::Floors;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Part, Scenario};
use crate::stand::Stand;

mod ledger;
mod quiet;
mod throughput;

/// Everything that a part needs besides the network.
pub(crate) struct Bench {
    pub(crate) floors: Floors,
    pub(crate) report: Report,
    pub(crate) progress: Progress,
    /// How long a rate is held.
    pub(crate) seconds: u64,
    /// Whether there is little time.
    pub(crate) is_quick: bool,
    /// Whether pictures are drawn: a quick run without them needs no curve.
    pub(crate) draws: bool,
    /// The rate to offer, if it is not to be looked for.
    pub(crate) rate: Option<f64>,
    /// The engine of the index.
    pub(crate) engine: String,
}

impl Bench {
    /// Makes the network of a scenario and measures it.
    pub(crate) async fn run(&mut self, scenario: &Scenario) {
        let mut stand = Stand::up(scenario.stand, &self.engine, &self.progress).await;
        let mut sustained = None;
        for part in scenario.parts {
            match part {
                Part::Idle => quiet::idle(self, scenario, &mut stand).await,
                Part::Rebuild => ledger::rebuild(self, scenario, &stand),
                Part::CatchUp => ledger::catch_up(self, scenario, &mut stand).await,
                Part::Restart => ledger::restart(self, scenario, &mut stand).await,
                Part::Audit => ledger::audit(self, scenario, &stand).await,
                Part::Bundles => ledger::bundles(self, scenario, &stand).await,
                Part::Sustained(kind) => {
                    sustained = Some(throughput::sustained(self, scenario, &mut stand, *kind, sustained).await);
                }
                Part::Half(kind) => throughput::half(self, scenario, &mut stand, *kind, sustained).await,
                Part::Curve(_) if self.is_quick && !self.draws => {}
                Part::Curve(kind) => throughput::curve(self, &mut stand, *kind, sustained).await,
                Part::Cost => throughput::cost(self, scenario, &mut stand).await,
            }
        }
    }

    /// Writes down a figure that others look for, if the scenario is the one that has it.
    fn headline(&mut self, scenario: &Scenario, name: &'static str, value: f64) {
        if scenario.is_headline {
            self.report.headline(name, value);
        }
    }
}
