//! Dependencies: between our crates, from the pure ones outwards, and what `.deny.toml` says of everyone else's.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::semver::VersionReq;
use cargo_metadata::{DependencyKind, Node, Package, PackageId};

use crate::house::{BUILT, DENY, METADATA, assert_none, text_of};
use crate::licence;

/// Our crates, and which of ours each may name. Arrows point down only, and siblings never see each other.
const ARROWS: [(&str, &[&str]); 10] = [
    ("cairn-types", &[]),
    ("cairn-proofs", &["cairn-types"]),
    ("cairn-runtime", &["cairn-proofs", "cairn-types"]),
    ("cairn-genesis", &["cairn-runtime", "cairn-proofs", "cairn-types"]),
    ("cairn-consensus", &["cairn-types"]),
    ("cairn-network", &["cairn-types"]),
    ("cairn-storage", &["cairn-runtime", "cairn-proofs", "cairn-types"]),
    ("cairn-rpc", &["cairn-proofs", "cairn-types"]),
    (
        "cairn",
        &[
            "cairn-network",
            "cairn-consensus",
            "cairn-rpc",
            "cairn-storage",
            "cairn-genesis",
            "cairn-runtime",
            "cairn-proofs",
            "cairn-types",
        ],
    ),
    // The tests stand outside and may use every library; nobody sees them or the program.
    (
        "cairn-tests",
        &[
            "cairn-network",
            "cairn-consensus",
            "cairn-rpc",
            "cairn-storage",
            "cairn-genesis",
            "cairn-runtime",
            "cairn-proofs",
            "cairn-types",
        ],
    ),
];

/// The crates whose results must be the same on every machine.
const PURE: [&str; 5] = ["cairn-types", "cairn-proofs", "cairn-runtime", "cairn-genesis", "cairn-consensus"];

/// What a pure crate never reaches, and everything whose name continues one of these with a hyphen: threads of control,
/// sockets, disks, randomness.
const IMPURE: [&str; 11] =
    ["tokio", "mio", "socket2", "async-std", "hyper", "libp2p", "sled", "fjall", "jsonrpsee", "rand", "getrandom"];

/// Edges that do not count.
const TOLERATED_EDGES: [(&str, &str); 2] = [
    // Named in its manifest, used in none of its sources.
    ("arc-malachitebft-core-consensus", "tokio"),
    // What a peer id is, as a type; no network comes with it.
    ("multiaddr", "libp2p-identity"),
];

/// Libraries below a version of which a peer can do harm: each must have its floor in `.deny.toml`.
const FLOORS: [&str; 4] = ["libp2p", "libp2p-gossipsub", "yamux", "quinn-proto"];

/// Whether `name` is `family` or one of its parts, `family-…`. The parts of `rand` that only define traits
/// (`rand_core`) have an underscore and draw nothing.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn package(id: &PackageId) -> &'static Package {
    &METADATA[id]
}

fn node(id: &PackageId) -> &'static Node {
    static NODES: std::sync::LazyLock<BTreeMap<&'static PackageId, &'static Node>> = std::sync::LazyLock::new(|| {
        let resolve = METADATA.resolve.as_ref().expect("cargo metadata resolves");
        resolve.nodes.iter().map(|node| (&node.id, node)).collect()
    });
    NODES.get(id).copied().expect("every dependency is resolved")
}

/// Direct dependencies of the given kinds.
fn dependencies<'a>(id: &PackageId, kinds: &'a [DependencyKind]) -> impl Iterator<Item = &'static PackageId> + 'a {
    node(id).deps.iter().filter(|dep| dep.dep_kinds.iter().any(|info| kinds.contains(&info.kind))).map(|dep| &dep.pkg)
}

/// Everything that is reached from `start`, each with the package through which it was reached first.
fn reached(
    start: &[&'static PackageId],
    kinds: &[DependencyKind],
) -> BTreeMap<&'static PackageId, Option<&'static PackageId>> {
    let mut from: BTreeMap<_, _> = start.iter().map(|id| (*id, None)).collect();
    let mut open: Vec<&'static PackageId> = start.to_vec();
    while let Some(id) = open.pop() {
        for next in dependencies(id, kinds) {
            let edge = (package(id).name.as_str(), package(next).name.as_str());
            if !TOLERATED_EDGES.contains(&edge) && !from.contains_key(next) {
                from.insert(next, Some(id));
                open.push(next);
            }
        }
    }
    from
}

fn ours(name: &str) -> &'static PackageId {
    let found = METADATA.workspace_members.iter().find(|id| package(id).name.as_str() == name);
    found.unwrap_or_else(|| panic!("{name} is not in the workspace"))
}

const ALL_KINDS: [DependencyKind; 3] = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];

#[test]
fn arrows_between_our_crates_point_down_only() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let members: BTreeSet<&str> = METADATA.workspace_members.iter().map(|id| package(id).name.as_str()).collect();
    assert_eq!(members, known, "a new crate gets its place in ARROWS, in the README's picture and in its code map");
    let mut broken = Vec::new();
    for (name, allowed) in ARROWS {
        for dependency in dependencies(ours(name), &ALL_KINDS).map(|id| package(id).name.as_str()) {
            if known.contains(dependency) && !allowed.contains(&dependency) {
                broken.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn the_pure_crates_reach_no_runtime_network_disk_or_randomness() {
    let mut broken = Vec::new();
    for name in PURE {
        let from = reached(&[ours(name)], &[DependencyKind::Normal]);
        for id in from.keys() {
            let reached_name = package(id).name.as_str();
            if IMPURE.iter().any(|family| is_of(reached_name, family)) {
                let path = std::iter::successors(Some(*id), |id| from.get(*id).copied().flatten());
                let path: Vec<&str> = path.map(|id| package(id).name.as_str()).collect();
                broken.push(path.join(" <- "));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_tolerated_edge_exists() {
    let resolve = METADATA.resolve.as_ref().expect("cargo metadata resolves");
    for (from, to) in TOLERATED_EDGES {
        let there =
            resolve.nodes.iter().filter(|node| package(&node.id).name.as_str() == from).any(|node| {
                dependencies(&node.id, &[DependencyKind::Normal]).any(|id| package(id).name.as_str() == to)
            });
        assert!(there, "{from} no longer depends on {to}: take the edge out of TOLERATED_EDGES");
    }
}

/// One entry of `bans.deny`.
struct Ban {
    name: String,
    below: Option<VersionReq>,
    wrappers: Option<Vec<String>>,
}

fn bans() -> Vec<Ban> {
    let entries = DENY.get("bans").and_then(|bans| bans.get("deny")).and_then(|deny| deny.as_array());
    let entries = entries.expect(".deny.toml has bans.deny");
    let ban = |entry: &toml::Value| {
        let spec = entry.get("crate").and_then(|spec| spec.as_str()).expect("each ban names a crate");
        let (name, below) = match spec.split_once(':') {
            Some((name, version)) => (name, Some(version.parse().expect("a version after the colon"))),
            None => (spec, None),
        };
        let wrappers = entry.get("wrappers").and_then(|wrappers| wrappers.as_array());
        let wrappers = wrappers.map(|names| names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect());
        Ban { name: name.to_owned(), below, wrappers }
    };
    entries.iter().map(ban).collect()
}

/// Everything that our crates are built from on this machine, tests and build scripts included. `cargo metadata` also has
/// what a feature names and does not switch on, so `cargo tree` has the last word.
fn built() -> Vec<&'static PackageId> {
    let packages = METADATA.packages.iter();
    let built = packages.filter(|package| BUILT.contains(&(package.name.to_string(), package.version.to_string())));
    built.map(|package| &package.id).collect()
}

#[test]
fn floors_and_walls_of_the_deny_file_hold() {
    let built = built();
    let mut broken = Vec::new();
    for Ban { name, below, wrappers } in bans() {
        for id in built.iter().filter(|id| package(id).name.as_str() == name) {
            let version = &package(id).version;
            match (&below, &wrappers) {
                (Some(below), _) if below.matches(version) => broken.push(format!("{name} {version} is {below}")),
                (Some(_), _) => {}
                (None, None) => broken.push(format!("{name} must not be built")),
                (None, Some(wrappers)) => {
                    for parent in &built {
                        let parent_name = package(parent).name.as_str();
                        let direct = dependencies(parent, &ALL_KINDS).any(|dependency| dependency == *id);
                        if direct && !wrappers.iter().any(|wrapper| wrapper == parent_name) {
                            broken.push(format!("{parent_name} names {name}, but only {wrappers:?} may"));
                        }
                    }
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn the_deny_file_has_every_floor() {
    for floor in FLOORS {
        let there = bans().iter().any(|ban| ban.name == floor && ban.below.is_some());
        assert!(there, ".deny.toml has no floor for {floor}");
        let built = METADATA.packages.iter().any(|package| package.name.as_str() == floor);
        assert!(built, "{floor} is no longer a dependency: take it out of FLOORS and of .deny.toml");
    }
}

#[test]
fn every_licence_is_on_the_list() {
    let allowed = DENY.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(|allow| allow.as_array());
    let allowed: Vec<&str> =
        allowed.expect(".deny.toml has licenses.allow").iter().filter_map(|name| name.as_str()).collect();
    let built = built();
    assert!(built.len() > 100, "{} packages are too few to be all", built.len());
    let mut broken = Vec::new();
    for package in built.into_iter().map(package) {
        let expression = package.license.as_deref().unwrap_or("nothing");
        if !licence::is_satisfied(expression, &allowed) {
            broken.push(format!("{} {} is under {expression}", package.name, package.version));
        }
    }
    assert_none(&broken);
}

#[test]
fn each_third_party_version_stands_once_and_is_used() {
    let workspace: toml::Table = text_of("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let listed = workspace["workspace"]["dependencies"].as_table().expect("[workspace.dependencies]");
    let mut unused: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    let mut broken = Vec::new();
    for id in &METADATA.workspace_members {
        let directory = package(id).manifest_path.parent().expect("a manifest is in a directory");
        let inside = directory.strip_prefix(&METADATA.workspace_root).expect("members are in the workspace");
        let path = format!("{inside}/Cargo.toml");
        let manifest: toml::Table = text_of(&path).parse().expect("a manifest is TOML");
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(table).and_then(|table| table.as_table()).into_iter().flatten() {
                unused.remove(name.as_str());
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    broken.push(format!("{path}: {name} has a version of its own; say {name}.workspace = true"));
                }
            }
        }
        for inherited in ["version", "edition", "rust-version", "license", "publish"] {
            if manifest["package"].get(inherited).and_then(|value| value.get("workspace")).is_none() {
                broken.push(format!("{path}: say {inherited}.workspace = true"));
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
            broken.push(format!("{path}: say [lints] workspace = true"));
        }
    }
    broken.extend(unused.into_iter().map(|name| format!("Cargo.toml lists {name}, which nobody uses")));
    assert_none(&broken);
}
