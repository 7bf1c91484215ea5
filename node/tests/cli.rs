//! The command line as a shell sees it: help, key files, exit statuses, and what stands on which output.
//!
//! No node runs here; what commands do to a ledger is tested where a network is.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

#[path = "cli/offline.rs"]
mod offline;

fn cairn(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(arguments).env_remove("CAIRN_RPC").env_remove("CAIRN_GENESIS");
    command.output().expect("the binary that cargo built for this test runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn one_json_object(output: &Output) -> Value {
    let value: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(value.is_object(), "{value}");
    value
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A URL on this machine behind which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A command is indented by two; what is indented deeper continues its description.
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Asks for the help of a command and of all below it, and counts them.
fn check_help(path: &[&str]) -> usize {
    let output = cairn(&[path, &["--help"]].concat());
    assert_eq!(output.status.code(), Some(0), "{path:?}: {}", stderr(&output));
    let help = stdout(&output);
    assert!(help.contains("Usage: cairn"), "{path:?}: {help}");
    let below = commands(&help);
    let below = below.iter().filter(|name| *name != "help");
    1 + below.map(|name| check_help(&[path, &[name.as_str()]].concat())).sum::<usize>()
}

#[test]
fn every_command_explains_itself() {
    assert!(check_help(&[]) >= 65, "the walk went through all commands");
    let help = stdout(&cairn(&["--help"]));
    let expected =
        ["key", "tx", "organization", "council", "lot", "device", "grant", "stream", "attest", "audit", "verify"];
    expected.iter().for_each(|name| assert!(commands(&help).iter().any(|found| found == name), "{name}: {help}"));
}

#[test]
fn a_key_is_made_once_and_shows_the_same_face_each_time() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("keys/meter.pem");
    let made = cairn(&["key", "generate", "--out", text(&path), "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let made = one_json_object(&made);
    let shown = cairn(&["key", "show", text(&path), "--json"]);
    assert_eq!(one_json_object(&shown), made);
    assert!(made["key"].as_str().is_some_and(|key| key.starts_with("ed25519:") && key.len() == 72), "{made}");
    assert_eq!(made["commitment"].as_str().map(str::len), Some(64), "{made}");
    let for_people = stdout(&cairn(&["key", "show", text(&path)]));
    assert!(for_people.contains(made["commitment"].as_str().expect("checked above")), "{for_people}");

    let again = cairn(&["key", "generate", "--out", text(&path)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
    assert_eq!(one_json_object(&cairn(&["key", "show", text(&path), "--json"])), made);
}

#[test]
fn what_is_typed_wrong_exits_with_2_and_says_what_is_allowed() {
    let id = "0".repeat(64);
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["fly"], "unrecognized subcommand"),
        (&["device", "get", "meter-1"], "not one of 0-9 a-f"),
        (&["device", "status", "--device", &id, "--set", "gone", "--key", "k"], "active, suspended, revoked"),
        (&["device", "register", "--owner", "water-works"], "--device-key"),
        (
            &["grant", "check", "--principal", "zone:x", "--action", "attest", "--target", "zone:x"],
            "org:NAME or device:ID",
        ),
        (&["grant", "check", "--principal", "x", "--action", "fly", "--target", "zone:x"], "register, place, attest"),
        (&["grant", "revoke", &id, "--signer", "x", "--key", "k", "--suspect-since", "now"], "1200/3"),
        (&["stream", "get", "flow"], "--device"),
        (&["attest", "--device", &id, "--key", "k", "--stream", "flow", "--grant", &id], "<FILE>"),
        (&["tx", "wait", &id, "--timeout", "1e9"], "invalid"),
        (&["status", "--genesis", "water"], "--genesis"),
        (&["council", "expel", "water-works"], "--as"),
        (&["council", "upgrade", "--version", "2", "--as", "x=k"], "--height"),
        (
            &["council", "admit", "--name", "x", "--roles", "king", "--new-key", "k", "--as", "x=k"],
            "council, manufacturer",
        ),
        (&["council", "parameters", "--set", "quota", "--as", "x=k"], "NAME=VALUE"),
        (&["council", "validators", "--add", "x", "--as", "x"], "NAME=PEM"),
        (&["device", "offer", "--device", &id, "--key", "k"], "--to"),
        (&["device", "recover", "--device", &id, "--new-key", "k", "--owner-key", "k"], "--next-key"),
        (&["lot", "endorse", "--manufacturer", "x", "--key", "k"], "FILE"),
        (&["stream", "supersede", "flow/1", "--key", "k"], "STREAM/SEQ"),
        (&["organization", "rotate", "--organization", "x", "--new-key", "k", "--key", "k"], "--recovery"),
    ];
    for (arguments, expected) in cases {
        let output = cairn(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

#[test]
fn a_node_that_is_not_there_is_named_with_the_way_to_start_one() {
    let url = nobody();
    let id = "0".repeat(64);
    let commands: &[&[&str]] = &[
        &["status"],
        &["organization", "list"],
        &["device", "get", &id],
        &["grant", "check", "--principal", "water-works", "--action", "attest", "--target", "zone:water-works"],
        &["stream", "list"],
        &["tx", "get", &id],
    ];
    for command in commands {
        let output = cairn(&[command, &["--rpc", &url][..]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert_eq!(stdout(&output), "", "{command:?}");
        assert!(stderr(&output).contains(&url), "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("cairn node run --config"), "{command:?}: {}", stderr(&output));
    }
    let output = cairn(&["status", "--rpc", &url, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(one_json_object(&output)["error"]["name"], "NodeUnreachable");
}

#[test]
fn the_environment_names_the_node_and_an_option_overrules_it() {
    let (environment, option) = (nobody(), "http://127.0.0.1:1");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        let output = command.args(arguments).env("CAIRN_RPC", &environment).env_remove("CAIRN_GENESIS").output();
        stderr(&output.expect("the binary that cargo built for this test runs"))
    };
    assert!(run(&["status"]).contains(&environment));
    assert!(run(&["status", "--rpc", option]).contains(option));
}

#[test]
fn what_a_node_is_to_log_is_said_in_levels_and_anything_else_is_refused_before_it_starts() {
    let run = |log: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        let output = command.args(["node", "run", "--config", "missing.toml"]).env("CAIRN_LOG", log).output();
        let output = output.expect("the binary that cargo built for this test runs");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    for good in ["", "off", "debug", "info,libp2p=debug,cairn::driver=trace"] {
        let said = run(good);
        assert!(said.contains("missing.toml") && !said.contains("CAIRN_LOG"), "{good:?}: {said}");
    }
    assert!(stdout(&cairn(&["node", "run", "--help"])).contains("CAIRN_LOG"));
    for bad in ["cairn=loud", "info,libp2p=many"] {
        let said = run(bad);
        assert!(said.contains(&format!("CAIRN_LOG={bad} is not understood")), "{bad:?}: {said}");
        assert!(said.contains("info,libp2p=debug"), "{said}");
    }
}

#[test]
fn a_key_file_that_is_missing_stops_a_command_before_anything_is_sent() {
    let id = "0".repeat(64);
    let arguments = ["attest", "day.csv", "--device", &id, "--key", "missing.pem", "--stream", "flow", "--grant", &id];
    let output = cairn(&[&arguments[..], &["--rpc", &nobody()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("missing.pem"), "{}", stderr(&output));
}
