//! Certificates named on the command line: files, folders, patterns, stdin, identifiers.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tabellion_client::{Certificate, CertificateInput, leaves, read_certificates};
use tabellion_ledger::{CertificateId, KeyId, sha256};

use crate::context::read_file;
use crate::failure::{Code, Failure, of_input};
use crate::output::Output;

/// The name under which stdin is read.
const STDIN: &str = "-";
/// What a file of certificates is called, when a folder is searched.
const EXTENSIONS: [&str; 5] = ["pem", "crt", "cer", "der", "cert"];

/// Reads one input; warns where private keys stood beside its certificates.
pub fn read(name: &str, output: Output) -> Result<Vec<Certificate>, Failure> {
    let bytes = match name {
        STDIN => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Failure::new(Code::Error, format!("cannot read stdin: {error}")))?;
            bytes
        }
        name => read_file(Path::new(name), "certificate").map_err(|failure| {
            failure.hint("give a file, - for stdin, or a certificate's SHA-256 (64 hex digits)")
        })?,
    };
    let CertificateInput { certificates, private_keys } =
        read_certificates(&bytes).map_err(|error| of_input(shown(name), &error))?;
    if private_keys > 0 {
        output.warn(format!(
            "{} holds a private key beside its certificates; it was not read and goes nowhere",
            shown(name)
        ));
    }
    Ok(certificates)
}

fn shown(name: &str) -> &str {
    if name == STDIN { "stdin" } else { name }
}

/// What a command is about: certificates by their identifiers, with their names where they are at hand.
pub struct Subject {
    /// SHA-256 of the certificate.
    pub id: CertificateId,
    /// The certificate, where a file was given.
    pub certificate: Option<Certificate>,
}

impl Subject {
    /// The subject's name, or the identifier.
    pub fn name(&self) -> String {
        self.certificate.as_ref().map_or_else(|| self.id.to_string(), name_of)
    }
}

/// A certificate's subject; its DNS names where the subject is empty.
pub fn name_of(certificate: &Certificate) -> String {
    match (certificate.facts.subject.text(), certificate.facts.dns_names.first()) {
        ("", Some(name)) => name.clone(),
        ("", None) => certificate.id().to_string(),
        (text, _) => text.to_owned(),
    }
}

/// An identifier, or a file with certificates: those of them that issued no other one in the file.
pub fn subjects(argument: &str, output: Output) -> Result<Vec<Subject>, Failure> {
    if let Some(id) = identifier(argument) {
        return Ok(vec![Subject { id, certificate: None }]);
    }
    let certificates = read(argument, output)?;
    let subject =
        |certificate: &Certificate| Subject { id: certificate.id(), certificate: Some(certificate.clone()) };
    match leaves(&certificates).as_slice() {
        [] => Ok(certificates.iter().map(subject).collect()),
        leaves => Ok(leaves.iter().map(|leaf| subject(leaf)).collect()),
    }
}

/// 64 hexadecimal digits, in any case, with or without colons: as openssl prints fingerprints.
fn identifier(argument: &str) -> Option<CertificateId> {
    let digits: String = argument.chars().filter(|c| *c != ':').collect();
    digits.to_lowercase().parse().ok().filter(|_| !Path::new(argument).exists())
}

/// A key: its SHA-256, a PEM public key, or a certificate that carries it.
pub fn key(argument: &str, output: Output) -> Result<KeyId, Failure> {
    if let Some(id) = identifier(argument) {
        return Ok(KeyId(id.0));
    }
    if argument != STDIN {
        let bytes = read_file(Path::new(argument), "key or certificate")?;
        if let Ok(block) = pem::parse(&bytes)
            && block.tag() == "PUBLIC KEY"
        {
            return Ok(KeyId(sha256(block.contents())));
        }
    }
    let found = subjects(argument, output)?;
    let key = found.first().and_then(|subject| subject.certificate.as_ref()).map(|found| found.facts.key);
    key.ok_or_else(|| Failure::new(Code::Error, format!("{argument} names no key")))
}

/// Files behind arguments: folders are searched for certificate files, patterns expanded.
pub fn files(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        if argument == STDIN || path.is_file() {
            files.push(argument.clone());
        } else if path.is_dir() {
            search(path, &mut files)?;
        } else {
            expand(argument, &mut files)?;
        }
    }
    Ok(files)
}

fn search(folder: &Path, files: &mut Vec<String>) -> Result<(), Failure> {
    let fault =
        |error| Failure::new(Code::Error, format!("cannot read folder {}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        found.push(entry.map_err(fault)?.path());
    }
    found.sort();
    for path in found {
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
        if path.is_dir() {
            search(&path, files)?;
        } else if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
            files.push(path.display().to_string());
        }
    }
    Ok(())
}

fn expand(pattern: &str, files: &mut Vec<String>) -> Result<(), Failure> {
    let nothing = || {
        Failure::new(Code::Error, format!("there is no file {pattern}"))
            .hint("give files, folders, patterns like 'certs/*.pem', or - for stdin")
    };
    let paths = glob::glob(pattern).map_err(|_| nothing())?;
    let found: Vec<String> = paths
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .map(|path| path.display().to_string())
        .collect();
    if found.is_empty() {
        return Err(nothing());
    }
    files.extend(found);
    Ok(())
}
