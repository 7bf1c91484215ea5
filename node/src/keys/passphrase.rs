//! Passphrases of key files, and where they come from: a file that is named, or the terminal, without echo.
//!
//! It does not know what is encrypted with them. A passphrase is never an argument and never in the environment, where
//! others on the machine can read it; it does not show itself when it is printed, and it is wiped from memory after use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::KeyFileError;
use super::access;

/// Shortest passphrase for a file that is written, in characters: scrypt makes each guess dear, and cannot make up for a
/// single word.
pub(crate) const PASSPHRASE_CHARS_MIN: usize = 12;

/// Longest file with a passphrase that is read, in bytes: more is some other file.
const PASSPHRASE_FILE_BYTES_MAX: u64 = 1_024;

/// Name of the credential that a service manager can hand to a node (systemd's `LoadCredential=`): it is used if no file is
/// named.
const CREDENTIAL: &str = "cairn-passphrase";

/// Variable with the directory of such credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Variable that names a file with the passphrase, for commands; the option `--passphrase-file` overrules it.
const FILE_VARIABLE: &str = "CAIRN_PASSPHRASE_FILE";

/// A passphrase.
pub(crate) struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Its bytes, as keys are derived from them.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    #[cfg(test)]
    pub(crate) fn of_test(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    fn check_strength(self) -> Result<Self, KeyFileError> {
        let chars = self.0.chars().count();
        if chars < PASSPHRASE_CHARS_MIN { Err(KeyFileError::PassphraseShort { chars }) } else { Ok(self) }
    }
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// Whoever sits at the terminal.
    Terminal,
}

/// The file that the command line named, once.
static OF_COMMAND_LINE: OnceLock<PathBuf> = OnceLock::new();

impl Source {
    /// Remembers what `--passphrase-file` says, for all key files that this command reads.
    pub(crate) fn set_command_line(file: Option<PathBuf>) {
        let variable = || std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        if let Some(file) = file.or_else(variable) {
            // A command line is read once.
            let _ = OF_COMMAND_LINE.set(file);
        }
    }

    /// For the key files of a command.
    pub(crate) fn of_command() -> Self {
        OF_COMMAND_LINE.get().map_or(Self::Terminal, |file| Self::File(file.clone()))
    }

    /// For the key files of a node whose configuration names this file, or none.
    pub(crate) fn of_node(configured: Option<&Path>) -> Self {
        let credential = || {
            let directory = std::env::var_os(CREDENTIALS_VARIABLE)?;
            Some(Path::new(&directory).join(CREDENTIAL)).filter(|file| file.exists())
        };
        let file = configured.map(Path::to_owned).or_else(|| OF_COMMAND_LINE.get().cloned()).or_else(credential);
        file.map_or(Self::Terminal, Self::File)
    }

    /// The passphrase of an existing key file.
    ///
    /// # Errors
    /// [`KeyFileError::PassphraseWanted`] if nobody can be asked; others if the file with it cannot be used.
    pub(super) fn read(&self, key_file: &Path) -> Result<Passphrase, KeyFileError> {
        match self {
            Self::File(file) => read_file(file),
            Self::Terminal => ask(&format!("Passphrase of {}: ", key_file.display()))
                .map_err(|_| KeyFileError::PassphraseWanted { path: key_file.to_owned() }),
        }
    }

    /// A new passphrase for a key file; on a terminal it is asked for twice.
    ///
    /// # Errors
    /// As [`Source::read`]; [`KeyFileError::PassphraseShort`] and [`KeyFileError::PassphrasesDiffer`].
    pub(crate) fn read_new(&self, key_file: &Path) -> Result<Passphrase, KeyFileError> {
        if let Self::File(file) = self {
            return read_file(file)?.check_strength();
        }
        let wanted = |_| KeyFileError::PassphraseWanted { path: key_file.to_owned() };
        let first = ask(&format!("New passphrase for {}: ", key_file.display())).map_err(wanted)?.check_strength()?;
        let second = ask("The same again: ").map_err(wanted)?;
        if first.as_bytes() == second.as_bytes() { Ok(first) } else { Err(KeyFileError::PassphrasesDiffer) }
    }
}

/// Asks on the terminal, wherever standard input comes from.
fn ask(prompt: &str) -> io::Result<Passphrase> {
    rpassword::prompt_password(prompt).map(|text| Passphrase(Zeroizing::new(text)))
}

fn read_file(path: &Path) -> Result<Passphrase, KeyFileError> {
    let io_error = |source| KeyFileError::Io { path: path.to_owned(), source };
    // A service manager keeps others from its credentials by other means than the mode.
    let is_credential = std::env::var_os(CREDENTIALS_VARIABLE).is_some_and(|directory| path.starts_with(directory));
    if !is_credential {
        access::check_file(path)?;
    }
    let bytes = fs::metadata(path).map_err(io_error)?.len();
    if bytes > PASSPHRASE_FILE_BYTES_MAX {
        return Err(KeyFileError::PassphraseFile { path: path.to_owned() });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error)?);
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(line), None) if !line.is_empty() => Ok(Passphrase(Zeroizing::new(line.to_owned()))),
        _ => Err(KeyFileError::PassphraseFile { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{PASSPHRASE_FILE_BYTES_MAX, Source};
    use crate::keys::KeyFileError;

    #[test]
    fn a_file_with_a_passphrase_is_private_and_holds_one_line() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("passphrase");
        let read = |text: &str, mode: u32| {
            fs::write(&path, text).expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changes the mode");
            Source::File(path.clone()).read(Path::new("key.pem"))
        };
        for text in ["correct horse battery", "correct horse battery\n", "correct horse battery\r\n"] {
            assert_eq!(read(text, 0o600).expect("reads").as_bytes(), b"correct horse battery");
        }
        let long = "x".repeat(usize::try_from(PASSPHRASE_FILE_BYTES_MAX).expect("small") + 1);
        for text in ["", "\n", "one\ntwo\n", &long] {
            assert!(matches!(read(text, 0o600), Err(KeyFileError::PassphraseFile { .. })), "{text:?}");
        }
        assert!(matches!(read("correct horse battery", 0o640), Err(KeyFileError::Access(_))));
        assert!(Source::File(path.clone()).read_new(Path::new("key.pem")).is_err(), "mode 640");
        read("short word\n", 0o600).expect("reads: a file that exists is opened with whatever opens it");
        let short = Source::File(path).read_new(Path::new("key.pem"));
        assert!(matches!(short, Err(KeyFileError::PassphraseShort { chars: 10 })));
    }
}
