//! How many readings a file holds, if nobody says.
//!
//! A `.csv` file holds one a line; blank lines and a header do not count. Any other file is one reading, such as a picture.
//! The count is the device's claim, like the content itself: the ledger keeps it, and no rule reads it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;

/// Most bytes of a line that are looked at: enough to tell a header, and a bound for a file without line ends.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The readings in a file.
pub(super) fn of_file(path: &Path) -> anyhow::Result<u64> {
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if !is_csv {
        return Ok(1);
    }
    let file = File::open(path).with_context(|| path.display().to_string())?;
    of_csv(BufReader::new(file)).with_context(|| path.display().to_string())
}

/// Whether a first line names the columns: none of its fields begins like a number or a date.
fn is_header(line: &[u8]) -> bool {
    // A byte order mark belongs to the file, not to its first field.
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let mut fields = line.split(|byte| matches!(byte, b',' | b';' | b'\t'));
    !fields.any(|field| {
        let field = field.trim_ascii();
        let field = field.strip_prefix(b"\"").unwrap_or(field);
        matches!(field.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.'))
    })
}

fn of_csv(mut text: impl BufRead) -> io::Result<u64> {
    let mut count = 0_u64;
    let mut is_first = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if text.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(count);
        }
        if !line.ends_with(b"\n") {
            text.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if !(is_first && is_header(&line)) {
            count = count.saturating_add(1);
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{LINE_BYTES_MAX, of_csv, of_file};

    #[test]
    fn a_header_and_blank_lines_are_no_readings() {
        let long = format!("7,{}\n8\n", "x".repeat(2 * LINE_BYTES_MAX as usize));
        let cases = [
            ("", 0),
            ("time,flow\n", 0),
            ("time,flow\n2022-03-20T11:00:00+01:00,100.59\n", 1),
            ("\n\ntemp;date\r\n47.8;2010/01/01\r\n\r\n47.4;2010/01/01", 2),
            ("47.8,2010/01/01\n47.4,2010/01/01\n", 2),
            ("\u{feff}\"Time\",\"Flow [l/s]\"\n\"2022-03-20\",\"1\"\n", 1),
            ("-0.5\n+1\n.5\n", 3),
            ("good\nbad\n", 1),
            (long.as_str(), 2),
        ];
        for (text, expected) in cases {
            let shown: String = text.chars().take(40).collect();
            assert_eq!(of_csv(text.as_bytes()).ok(), Some(expected), "{shown:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_one_reading() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (picture, table) = (directory.path().join("gauge.jpg"), directory.path().join("DAY.CSV"));
        fs::write(&picture, "1\n2\n3\n").expect("writes");
        fs::write(&table, "1\n2\n3\n").expect("writes");
        assert_eq!(of_file(&picture).ok(), Some(1));
        assert_eq!(of_file(&table).ok(), Some(3));
        assert!(of_file(&directory.path().join("missing.csv")).is_err_and(|e| e.to_string().contains("missing.csv")));
    }
}
