//! What is going on, on standard error: a bar on a terminal, a line for each step elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar is drawn while nothing moves.
const REDRAW: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Progress {
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_terminal: stderr().is_terminal() }
    }

    /// Something that goes on until the value is dropped or finished.
    pub(crate) fn step(&self, what: &str) -> ProgressBar {
        self.show(what, ProgressBar::new_spinner(), "{spinner} {elapsed:>4} {msg}")
    }

    /// The same with a known end.
    pub(crate) fn bar(&self, what: &str, end: u64) -> ProgressBar {
        self.show(what, ProgressBar::new(end), "{spinner} {elapsed:>4} {msg} {wide_bar} {human_pos}/{human_len}")
    }

    fn show(&self, what: &str, bar: ProgressBar, template: &str) -> ProgressBar {
        if !self.is_terminal {
            eprintln!("… {what}");
            return ProgressBar::hidden();
        }
        bar.set_style(ProgressStyle::with_template(template).expect("the template is one"));
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(REDRAW);
        bar
    }
}
