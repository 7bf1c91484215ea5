//! What was measured: figures with their unit and their ratio to a floor, as a table and as JSON.
//!
//! It knows no scenario. Figures with a name that others rely on (`headline`) stand at the top of the JSON as plain numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// A second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// 10^6 bytes.
    Mb,
    /// Hundredths of one core.
    Percent,
    /// A number of things.
    Count,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Ms => "ms",
            Self::S => "s",
            Self::PerSecond => "/s",
            Self::Bytes => "B",
            Self::Mb => "MB",
            Self::Percent => "%",
            Self::Count => "",
        }
    }
}

/// What a figure is compared with: the floor's name, and its value in the figure's unit.
pub(crate) type Floor = (&'static str, f64);

struct Figure {
    scenario: String,
    name: &'static str,
    value: f64,
    unit: Unit,
    floor: Option<Floor>,
}

/// One rate of the open-loop generator, and the latency there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// Transactions that became final a second.
    pub(crate) rate: f64,
    /// Half of them were final after so many milliseconds.
    pub(crate) p50_ms: f64,
    /// All but one in a hundred.
    pub(crate) p99_ms: f64,
}

/// What a transaction costs on a ledger of a certain size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Transactions on the ledger before.
    pub(crate) ledger: f64,
    /// CPU of a node for one more, in microseconds.
    pub(crate) cpu_us: f64,
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    headlines: BTreeMap<&'static str, f64>,
    /// Throughput against latency.
    pub(crate) curve: Vec<Point>,
    /// Cost against the ledger's size.
    pub(crate) costs: Vec<Cost>,
}

/// Three digits that count, and no more than the figure has.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = 3 - value.abs().log10().floor() as i32 - 1;
    let scale = 10f64.powi(digits.max(0));
    (value * scale).round() / scale
}

impl Report {
    /// Writes a figure down, and prints it.
    pub(crate) fn figure(&mut self, scenario: &str, name: &'static str, value: f64, unit: Unit, floor: Option<Floor>) {
        let figure = Figure { scenario: scenario.to_owned(), name, value, unit, floor };
        println!("{}", figure.line());
        self.figures.push(figure);
    }

    /// A figure that others look for by this name.
    pub(crate) fn headline(&mut self, name: &'static str, value: f64) {
        self.headlines.insert(name, rounded(value));
    }

    /// All of it, for people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("\n");
        let mut scenario = "";
        for figure in &self.figures {
            if figure.scenario != scenario {
                scenario = &figure.scenario;
                text += &format!("\n{scenario}\n");
            }
            text += &format!("  {}\n", figure.cells());
        }
        text
    }

    /// All of it, for programs.
    pub(crate) fn json(&self, machine: Value, commit: String, options: Value) -> Value {
        let mut all = Map::new();
        all.insert("machine".to_owned(), machine);
        all.insert("commit".to_owned(), commit.into());
        all.insert("options".to_owned(), options);
        for (name, value) in &self.headlines {
            all.insert((*name).to_owned(), json!(value));
        }
        let mut scenarios = Map::new();
        for figure in &self.figures {
            let scenario = scenarios.entry(figure.scenario.clone()).or_insert_with(|| json!({}));
            scenario[figure.name] = figure.json();
        }
        all.insert("scenarios".to_owned(), scenarios.into());
        let point = |point: &Point| json!({ "rate": rounded(point.rate), "p50_ms": rounded(point.p50_ms), "p99_ms": rounded(point.p99_ms) });
        all.insert("latency_by_rate".to_owned(), self.curve.iter().map(point).collect());
        let cost = |cost: &Cost| json!({ "ledger": cost.ledger, "node_cpu_us_per_tx": rounded(cost.cpu_us) });
        all.insert("cost_by_ledger".to_owned(), self.costs.iter().map(cost).collect());
        all.into()
    }
}

impl Figure {
    fn ratio(&self) -> Option<(&'static str, f64)> {
        let (name, floor) = self.floor.filter(|(_, floor)| *floor > 0.0)?;
        Some((name, self.value / floor))
    }

    fn cells(&self) -> String {
        let value = format!("{} {}", rounded(self.value), self.unit.name());
        let ratio = self.ratio().map(|(name, ratio)| format!("{} x {name}", rounded(ratio)));
        format!("{:<34} {value:>16}   {}", self.name, ratio.unwrap_or_default()).trim_end().to_owned()
    }

    fn line(&self) -> String {
        format!("{:<14} {}", self.scenario, self.cells())
    }

    fn json(&self) -> Value {
        let mut json = json!({ "value": rounded(self.value), "unit": self.unit.name() });
        if let Some((name, ratio)) = self.ratio() {
            json["floor"] = name.into();
            json["ratio"] = rounded(ratio).into();
        }
        json
    }
}
