//! Key files: PKCS#8 PEM, encrypted with age under a passphrase (scrypt), or plain where the caller says so.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use age::{DecryptError, scrypt};
use thiserror::Error;

use crate::key::{KeyError, SigningKey};

const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const BINARY_BEGIN: &[u8] = b"age-encryption.org/";
const PEM_LABEL: &str = "PRIVATE KEY";
/// An ML-DSA-65 key, expanded, in PEM under age takes below 10 kB.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Work that a file may ask of its reader: 2^22 takes some ten seconds and 4 GiB; more is an attack or an
/// accident.
const WORK_FACTOR_MAX: u8 = 22;

/// How a key file keeps its key.
pub enum Protection {
    /// Encrypted under this passphrase with age (scrypt, chosen so that one try takes about a second).
    Passphrase(String),
    /// Not encrypted: whoever reads the file has the key. For networks on one machine and for tests.
    PlainText,
}

/// Why a key file cannot be read or written.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be opened, read or written.
    #[error("cannot {doing} key file {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is there already; a key is never overwritten.
    #[error("{} exists already; a key file is never overwritten", .0.display())]
    Exists(PathBuf),
    /// More bytes than a key file has.
    #[error("{} has more than {KEY_FILE_BYTES_MAX} bytes; that is no key file", .0.display())]
    TooLarge(PathBuf),
    /// The file holds something else; named where that is known.
    #[error("{} holds {found}, not a private key", path.display())]
    OtherContent {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The file is encrypted and no passphrase is at hand.
    #[error("{} is encrypted; a passphrase is needed", .0.display())]
    PassphraseNeeded(PathBuf),
    /// The passphrase is wrong, or the file is damaged.
    #[error("{} does not open: the passphrase is wrong, or the file is damaged", path.display())]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DecryptError,
    },
    /// Encryption failed.
    #[error("the key could not be encrypted")]
    Encrypt(#[source] age::EncryptError),
    /// The key itself.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

/// Writes a key to a new file that only its owner can read (mode 0600).
///
/// Refuses: to overwrite. A crash leaves no file, or the whole file: it is written aside and linked into its
/// place.
pub fn write_key_file(path: &Path, key: &SigningKey, protection: &Protection) -> Result<(), KeyFileError> {
    write_with_work(path, key, protection, None)
}

/// [`write_key_file`] with the scrypt work factor given, so that tests need no second per file.
pub(crate) fn write_with_work(
    path: &Path,
    key: &SigningKey,
    protection: &Protection,
    work_factor: Option<u8>,
) -> Result<(), KeyFileError> {
    let key_fault = |source| KeyFileError::Key { path: path.to_owned(), source };
    let pem = pem::encode(&pem::Pem::new(PEM_LABEL, key.to_pkcs8().map_err(key_fault)?));
    let text = match protection {
        Protection::PlainText => pem,
        Protection::Passphrase(passphrase) => encrypt(&pem, passphrase, work_factor)?,
    };
    let io_fault = |source| KeyFileError::Io { doing: "write", path: path.to_owned(), source };
    write_new(path, text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => io_fault(error),
    })
}

fn encrypt(pem: &str, passphrase: &str, work_factor: Option<u8>) -> Result<String, KeyFileError> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    if let Some(log_n) = work_factor {
        recipient.set_work_factor(log_n);
    }
    age::encrypt_and_armor(&recipient, pem.as_bytes()).map_err(KeyFileError::Encrypt)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    // A link, unlike a rename, fails where a file stands already.
    let linked = written.and_then(|()| std::fs::hard_link(&aside, path));
    std::fs::remove_file(&aside)?;
    linked
}

/// Whether the file is encrypted, so that a caller knows to ask for a passphrase.
pub fn is_encrypted_key_file(path: &Path) -> Result<bool, KeyFileError> {
    read_limited(path).map(|bytes| is_age(&bytes))
}

fn is_age(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(ARMOR_BEGIN.as_bytes()) || bytes.starts_with(BINARY_BEGIN)
}

/// Reads a key file; `passphrase` is asked for only if the file is encrypted.
pub fn read_key_file(
    path: &Path,
    passphrase: impl FnOnce() -> Option<String>,
) -> Result<SigningKey, KeyFileError> {
    let bytes = read_limited(path)?;
    let pem = match is_age(&bytes) {
        false => bytes,
        true => {
            let needed = || KeyFileError::PassphraseNeeded(path.to_owned());
            let mut identity = scrypt::Identity::new(SecretString::from(passphrase().ok_or_else(needed)?));
            identity.set_max_work_factor(WORK_FACTOR_MAX);
            let fault = |source| KeyFileError::Decrypt { path: path.to_owned(), source };
            age::decrypt(&identity, &bytes).map_err(fault)?
        }
    };
    let other = |found: &str| KeyFileError::OtherContent { path: path.to_owned(), found: found.to_owned() };
    let pem = match pem::parse(&pem) {
        Ok(pem) => pem,
        Err(_) if pem.trim_ascii().is_empty() => return Err(other("nothing")),
        Err(_) => return Err(other("no PEM block")),
    };
    match pem.tag() {
        PEM_LABEL => SigningKey::from_pkcs8(pem.contents())
            .map_err(|source| KeyFileError::Key { path: path.to_owned(), source }),
        label => Err(other(&format!("a PEM block '{label}'"))),
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let fault = |source| KeyFileError::Io { doing: "read", path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(fault)?.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::TooLarge(path.to_owned()));
    }
    std::fs::read(path).map_err(fault)
}

/// Whether others than its owner can read the file: worth a warning.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
