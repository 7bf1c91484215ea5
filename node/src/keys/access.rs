//! Who else on this machine can get at a file: by its mode, its owner, and the directory that it lies in.
//!
//! It reads modes and owners and nothing else, and changes none: whoever set them meant something by them, and is told
//! the command that mends it. What it does not see: access lists beyond the mode, and whoever is root.
//!
//! The owner is compared with the user of this process where the system says who that is (`/proc`); elsewhere modes alone
//! are checked.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode bits that let anybody else than the owner at a file.
const ANY_BY_OTHERS: u32 = 0o077;

/// Mode bits that let somebody else than the owner add, rename and remove what is in a directory.
const CHANGE_BY_OTHERS: u32 = 0o022;

/// The same, for everybody on the machine.
const CHANGE_BY_ALL: u32 = 0o002;

/// In a directory with this bit nobody renames or removes what is another's: `/tmp` has it.
const STICKY: u32 = 0o1000;

/// The user whom nothing is kept from.
const ROOT: u32 = 0;

/// Why a file is not this user's alone. Its owner is to blame, and can mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} can be read or changed by others (mode {mode:03o}); run: chmod {wanted:o} {path}", path = .path.display())]
    Mode { path: PathBuf, mode: u32, wanted: u32 },
    #[error(
        "{path} belongs to user {owner}, who can read and change it, and this program runs as user {own}; run: chown {own} {path}",
        path = .path.display()
    )]
    Owner { path: PathBuf, owner: u32, own: u32 },
    #[error(
        "others can replace the files in {path} (mode {mode:03o}); run: chmod go-w {path}", path = .path.display()
    )]
    Directory { path: PathBuf, mode: u32 },
}

/// Checks that nobody else can read or change a file.
///
/// # Errors
/// [`AccessError`]; the file's owner is to blame.
pub(crate) fn check_file(path: &Path) -> Result<(), AccessError> {
    check_alone(path, 0o600)
}

/// Checks that nobody else can look into a directory, or change what is in it.
///
/// # Errors
/// [`AccessError`]; the directory's owner is to blame.
pub(crate) fn check_private_directory(path: &Path) -> Result<(), AccessError> {
    check_alone(path, 0o700)
}

/// Checks that nobody else can put another file in the place of this one: its directory, and that of the file behind it
/// if it is a link, can be changed by their owner alone, and no directory above by everybody.
///
/// # Errors
/// [`AccessError`]; the directory's owner is to blame.
pub(crate) fn check_place(path: &Path) -> Result<(), AccessError> {
    let real = fs::canonicalize(path).map_err(io_error(path))?;
    for file in [path, &real] {
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let metadata = metadata(directory)?;
        check_owner(directory, &metadata)?;
        check_changes(directory, &metadata, CHANGE_BY_OTHERS)?;
    }
    for directory in real.ancestors().skip(2) {
        check_changes(directory, &metadata(directory)?, CHANGE_BY_ALL)?;
    }
    Ok(())
}

fn check_alone(path: &Path, wanted: u32) -> Result<(), AccessError> {
    let metadata = metadata(path)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & ANY_BY_OTHERS != 0 {
        return Err(AccessError::Mode { path: path.to_owned(), mode, wanted });
    }
    check_owner(path, &metadata)
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), AccessError> {
    match own_user() {
        Some(own) if metadata.uid() != own && metadata.uid() != ROOT => {
            Err(AccessError::Owner { path: path.to_owned(), owner: metadata.uid(), own })
        }
        _ => Ok(()),
    }
}

fn check_changes(path: &Path, metadata: &Metadata, by: u32) -> Result<(), AccessError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & by != 0 && mode & STICKY == 0 {
        return Err(AccessError::Directory { path: path.to_owned(), mode });
    }
    Ok(())
}

/// The user of this process, if the system says.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

fn metadata(path: &Path) -> Result<Metadata, AccessError> {
    fs::metadata(path).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AccessError + '_ {
    move |source| AccessError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::{AccessError, check_file, check_place, check_private_directory};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changes the mode");
    }

    #[test]
    fn every_mode_that_lets_others_in_is_refused_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("key.pem");
        fs::write(&file, "key").expect("writes");
        for mode in 0..0o1000 {
            set_mode(&file, mode);
            let is_private = mode & 0o077 == 0;
            assert_eq!(check_file(&file).is_ok(), is_private, "{mode:03o}");
        }
        let refused = check_file(&file).expect_err("mode 777").to_string();
        assert!(refused.ends_with(&format!("run: chmod 600 {}", file.display())), "{refused}");
        set_mode(directory.path(), 0o750);
        let refused = check_private_directory(directory.path()).expect_err("mode 750").to_string();
        assert!(refused.contains("run: chmod 700 "), "{refused}");
    }

    #[test]
    fn a_directory_in_which_others_can_replace_the_file_is_refused_and_a_sticky_one_is_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let inner = directory.path().join("keys");
        fs::create_dir(&inner).expect("makes");
        let file = inner.join("key.pem");
        fs::write(&file, "key").expect("writes");
        for (above, mode, holds) in [
            (0o700, 0o700, true),
            (0o700, 0o755, true),
            (0o700, 0o775, false),
            (0o700, 0o757, false),
            (0o700, 0o1777, true),
            (0o775, 0o700, true),
            (0o777, 0o700, false),
            (0o1777, 0o700, true),
        ] {
            set_mode(&inner, mode);
            set_mode(directory.path(), above);
            let checked = check_place(&file);
            assert_eq!(checked.is_ok(), holds, "{mode:o} in {above:o}");
            assert!(holds || matches!(checked, Err(AccessError::Directory { .. })));
        }
        // A link is as safe as both directories.
        set_mode(directory.path(), 0o700);
        let open = directory.path().join("open");
        fs::create_dir(&open).expect("makes");
        set_mode(&open, 0o777);
        symlink(&file, open.join("key.pem")).expect("links");
        assert!(check_place(&file).is_ok());
        assert!(matches!(check_place(&open.join("key.pem")), Err(AccessError::Directory { .. })));
    }
}
