//! The table of refusals in the specification is the table in the code.

use std::collections::BTreeMap;

use cairn_types::Rejection;

const SPECIFICATION: &str = include_str!("../../../runtime/SPECIFICATION.md");

/// Section 18.
fn section() -> &'static str {
    let (_, rest) = SPECIFICATION.split_once("\n## 18. ").expect("the specification has a section 18");
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

#[test]
fn every_refusal_stands_in_the_specification_with_its_code_and_its_reason() {
    let mut written = BTreeMap::new();
    for line in section().lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", code, name, when, ""] = cells[..] else { continue };
        let Ok(code) = code.parse::<u16>() else { continue };
        assert!(when.len() > 10, "{name} does not say when");
        assert_eq!(written.insert(code, name.trim_matches('`')), None, "{code} stands there twice");
    }
    let known: BTreeMap<u16, &str> = Rejection::TABLE.iter().copied().collect();
    assert_eq!(written, known);
}

#[test]
fn the_rules_name_no_refusal_that_does_not_exist() {
    let (_, rules) = SPECIFICATION.split_once("\n## 17. ").expect("the specification has a section 17");
    let rules = rules.split_once("\n## ").map_or(rules, |(section, _)| section);
    // A refusal stands after a colon, alone or in a list: `: `Name`` or `, `Name``.
    let mut named: Vec<&str> = Vec::new();
    for (before, after) in rules.match_indices('`').map(|(at, _)| rules.split_at(at)) {
        let name = after[1..].split('`').next().unwrap_or_default();
        if before.trim_end().ends_with([':', ',']) && name.len() > 5 && name.chars().all(char::is_alphanumeric) {
            named.push(name);
        }
    }
    let known: Vec<&str> = Rejection::TABLE.iter().map(|(_, name)| *name).collect();
    let calls = ["RotateOrganizationKeys", "DistrustLot", "RotateDeviceKey", "RecoverDeviceKey", "CancelRecovery"];
    let protective = ["SetDeviceStatus", "RevokeGrant", "CloseStream", "ReportFork", "OpenStream", "Attest"];
    for name in named {
        let is_call = calls.contains(&name) || protective.contains(&name);
        let is_upper = name.starts_with(|first: char| first.is_ascii_uppercase());
        assert!(known.contains(&name) || is_call || !is_upper, "{name} is no refusal");
    }
}
