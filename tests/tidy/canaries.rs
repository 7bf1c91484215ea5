//! The planted bugs of `tests/canaries` fit the sources: a patch that fits no more would test nothing. Whether they are
//! found is tried by `scripts/canaries`.

use crate::house::{FILES, File, assert_none, text_of};

/// Fewer planted bugs than this would say little about the tests.
const CANARIES_MIN: usize = 12;

fn canaries() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.path.starts_with("tests/canaries/") && file.path.ends_with(".patch"))
}

/// The text that each hunk of a patch replaces, with the file that it is in.
fn replaced(patch: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    let mut path = String::new();
    let mut inside = false;
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            name.trim_end().clone_into(&mut path);
            inside = false;
        } else if line.starts_with("@@ ") {
            hunks.push((path.clone(), String::new()));
            inside = true;
        } else if inside
            && !line.starts_with('+')
            && let Some((_, text)) = hunks.last_mut()
        {
            text.push_str(line.get(1..).unwrap_or_default());
            text.push('\n');
        }
    }
    hunks
}

#[test]
fn every_canary_says_what_it_plants_and_who_finds_it() {
    let silent = canaries().filter(|canary| {
        let head = canary.text.split("--- a/").next().unwrap_or_default();
        head.starts_with(['\n', ' ']) || !head.contains("\nFound by: ") || !head.contains("\nSays: ")
    });
    assert_none(&silent.map(|canary| format!("{} does not say enough", canary.path)).collect::<Vec<_>>());
    assert!(canaries().count() >= CANARIES_MIN, "there are fewer than {CANARIES_MIN} canaries");
}

#[test]
fn every_canary_fits_the_sources() {
    let mut broken = Vec::new();
    for canary in canaries() {
        let hunks = replaced(&canary.text);
        if hunks.is_empty() {
            broken.push(format!("{} changes nothing", canary.path));
        }
        for (path, text) in hunks {
            if !text_of(&path).contains(&text) {
                broken.push(format!("{} does not fit {path} any more: make the patch anew", canary.path));
            }
        }
    }
    assert_none(&broken);
}
