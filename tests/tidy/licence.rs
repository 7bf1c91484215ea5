//! Licence expressions (SPDX, annex D): names joined by OR and AND, with parentheses; old crates write `/` for OR.

/// Whether somebody who may use `allowed` may use what is under `expression`.
pub(crate) fn is_satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed, malformed: false };
    let satisfied = reader.any_of();
    satisfied && reader.words.is_empty() && !reader.malformed
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
    malformed: bool,
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn any_of(&mut self) -> bool {
        let mut satisfied = self.all_of();
        while self.take("OR") {
            // Both sides are read, whatever the first one said.
            satisfied |= self.all_of();
        }
        satisfied
    }

    fn all_of(&mut self) -> bool {
        let mut satisfied = self.one();
        while self.take("AND") {
            satisfied &= self.one();
        }
        satisfied
    }

    fn name(&mut self) -> &str {
        match self.words.split_first() {
            Some((name, rest)) => {
                self.words = rest;
                name
            }
            None => {
                self.malformed = true;
                ""
            }
        }
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            return self.any_of() & self.take(")");
        }
        let mut name = self.name().to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.name());
        }
        self.allowed.contains(&name.as_str())
    }
}

#[test]
fn licence_expressions_read_as_they_are_meant() {
    let allowed = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    for good in [
        "MIT",
        "MIT OR GPL-2.0-only",
        "GPL-2.0-only/MIT",
        "GPL-3.0 OR MIT AND ISC",
        "(MIT OR GPL-3.0) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
        "ISC AND (Apache-2.0 OR ISC) AND (MPL-2.0 OR MIT)",
    ] {
        assert!(is_satisfied(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "MIT)", "MIT WITH LLVM-exception", "MIT ISC"] {
        assert!(!is_satisfied(bad, &allowed), "{bad}");
    }
}
