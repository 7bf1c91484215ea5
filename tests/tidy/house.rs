//! What the rules read: the files of the project and what cargo says of its packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{Metadata, MetadataCommand};

/// Directories that hold no sources of ours. Build directories are known by the tag that cargo puts into them.
const SKIPPED: [&str; 4] = [".git", ".cairn", "__pycache__", "node_modules"];
const BUILD_DIRECTORY_TAG: &str = "CACHEDIR.TAG";

/// One file of the project.
pub(crate) struct File {
    /// Its path from the project's root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the project's root")
}

/// Every text file of the project, sorted by path.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(root(), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
});

fn collect(directory: &Path, files: &mut Vec<File>) {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path: PathBuf = entry.expect("a directory that was opened can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() || SKIPPED.contains(&name.as_ref()) {
            continue;
        }
        if path.is_dir() {
            if !path.join(BUILD_DIRECTORY_TAG).exists() {
                collect(&path, files);
            }
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let inside = path.strip_prefix(root()).expect("it was found below the root");
            files.push(File { path: inside.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

/// The text of one file.
pub(crate) fn text_of(path: &str) -> &'static str {
    match FILES.iter().find(|file| file.path == path) {
        Some(file) => &file.text,
        None => panic!("{path} is missing"),
    }
}

/// What cargo says of our packages and of all that this machine's build needs.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc is beside cargo");
    let version = String::from_utf8(version.stdout).expect("rustc prints UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc -vV names its host");
    // Without the filter cargo would download what only other systems need.
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned(), "--filter-platform".to_owned(), host.to_owned()])
        .exec()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"))
});

/// Name and version of every package that our crates, their tests and their build scripts are built from here.
pub(crate) static BUILT: LazyLock<BTreeSet<(String, String)>> = LazyLock::new(|| {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("this test was built by cargo");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).expect("cargo prints UTF-8");
    let package = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    lines.lines().filter_map(package).collect()
});

/// `.deny.toml`, which cargo-deny reads as well.
pub(crate) static DENY: LazyLock<toml::Table> =
    LazyLock::new(|| text_of(".deny.toml").parse().unwrap_or_else(|error| panic!(".deny.toml: {error}")));

/// Fails with all `broken` rules at once, so that one run shows all there is to mend.
#[track_caller]
pub(crate) fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}
