//! Marks, colours and numbers for a person. Colours only where a person looks: on a terminal, and not if `NO_COLOR` is
//! set.

use std::io::IsTerminal;

/// It holds.
pub(in crate::cli) const GOOD: &str = "✓";

/// It does not hold.
pub(in crate::cli) const BAD: &str = "✗";

/// It is not shown, or in doubt.
pub(in crate::cli) const DOUBT: &str = "?";

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const DIM: &str = "2";
const BOLD: &str = "1";

/// Whether to use colours.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Paint {
    on: bool,
}

impl Paint {
    /// For what goes to standard output.
    pub(in crate::cli) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: std::io::stdout().is_terminal() && !unwanted }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What holds.
    pub(in crate::cli) fn good(self, text: &str) -> String {
        self.with(GREEN, text)
    }

    /// What does not hold.
    pub(in crate::cli) fn bad(self, text: &str) -> String {
        self.with(RED, text)
    }

    /// What is in doubt.
    pub(in crate::cli) fn doubt(self, text: &str) -> String {
        self.with(YELLOW, text)
    }

    /// What matters less.
    pub(in crate::cli) fn dim(self, text: &str) -> String {
        self.with(DIM, text)
    }

    /// What matters more.
    pub(in crate::cli) fn bold(self, text: &str) -> String {
        self.with(BOLD, text)
    }

    /// The name of a verdict's outcome.
    pub(in crate::cli) fn outcome(self, name: &str) -> String {
        match name {
            "VALID" => self.good(name),
            "INCOMPLETE" => self.doubt(name),
            _ => self.bad(name),
        }
    }
}

/// A number with its thousands apart: `12,345`.
pub(in crate::cli) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text from elsewhere, without what would move a terminal's cursor or change its colours.
pub(in crate::cli) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// As much of a hash or an id as a person compares.
pub(in crate::cli) fn short(id: &impl ToString) -> String {
    const DIGITS: usize = 12;
    let digits: String = id.to_string().chars().take(DIGITS).collect();
    format!("{digits}…")
}

#[cfg(test)]
mod tests {
    use super::{Paint, harmless, short, thousands};

    #[test]
    fn numbers_and_hashes_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(short(&"0123456789abcdef"), "0123456789ab…");
        assert_eq!(harmless("\x1b[2Jthe água\n"), "[2Jthe água");
    }

    #[test]
    fn no_colour_where_none_is_wanted() {
        let (plain, coloured) = (Paint { on: false }, Paint { on: true });
        assert_eq!(plain.outcome("VALID"), "VALID");
        assert_eq!(coloured.outcome("VALID"), "\x1b[32mVALID\x1b[0m");
    }
}
