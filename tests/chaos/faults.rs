//! A library that is loaded into a node, which moves its clock and fills its disk while it runs (`shim.c`).
//!
//! It needs a C compiler. Without one there is none of these faults, and whoever wanted them says so.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_tests::Node;

/// The library, and where each node's control file is.
pub(crate) struct Shim {
    library: PathBuf,
}

/// The faults of one node.
pub(crate) struct Control(File);

impl Shim {
    /// Builds the library in a directory.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(crate) fn build(directory: &Path) -> Result<Self, String> {
        let (source, library) = (directory.join("shim.c"), directory.join("shim.so"));
        fs::write(&source, include_str!("shim.c")).map_err(|error| error.to_string())?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .map_err(|error| format!("there is no C compiler: {error}"))?;
        if compiled.status.success() {
            Ok(Self { library })
        } else {
            Err(String::from_utf8_lossy(&compiled.stderr).into_owned())
        }
    }

    /// Has the library loaded into a node, from its next start on.
    ///
    /// # Panics
    /// If the control file cannot be written.
    pub(crate) fn load_into(&self, node: &mut Node) -> Control {
        let path = node.directory.join("control");
        fs::write(&path, [0; 16]).expect("a node's directory can be written");
        node.set_variable("LD_PRELOAD", self.library.clone());
        node.set_variable("CAIRN_CHAOS_CONTROL", path.clone());
        Control(File::options().write(true).open(path).expect("it was just written"))
    }
}

impl Control {
    /// Moves the wall clock to so many milliseconds ahead of the machine's.
    pub(crate) fn set_clock_ahead_ms(&self, ahead_ms: i64) {
        self.write(0, ahead_ms);
    }

    /// Fills the disk, or makes room.
    pub(crate) fn set_disk_full(&self, is_full: bool) {
        self.write(8, i64::from(is_full));
    }

    fn write(&self, offset: u64, value: i64) {
        self.0.write_all_at(&value.to_ne_bytes(), offset).expect("a control file can be written");
    }
}
