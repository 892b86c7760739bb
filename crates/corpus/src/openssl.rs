//! Verdicts of the `openssl` command, the oracle of differential tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tabellion_ledger::TimeMs;

use crate::RealChain;

/// What `openssl verify` says to each chain: nothing for valid, else its message.
///
/// Same inputs as the product: each chain's own root is the only trust anchor, its intermediates the only
/// helpers, the time is `at`, the policy any, and security level 2 stands for the accepted algorithms (SHA-2,
/// RSA from 2048 bits).
///
/// Errors: the command cannot be run, or files cannot be written.
pub fn openssl_verdicts(chains: &[RealChain], at: TimeMs) -> std::io::Result<Vec<Option<String>>> {
    let folder = tempfile::tempdir()?;
    let mut files = Files { folder: folder.path(), written: BTreeMap::new() };
    // Chains with the same issuers share one run of the command, which costs more than the verification.
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, chain) in chains.iter().enumerate() {
        groups.entry((chain.root.as_slice(), chain.intermediates.as_slice())).or_default().push(index);
    }
    let mut verdicts = vec![None; chains.len()];
    for ((root, intermediates), members) in groups {
        let mut command = Command::new("openssl");
        command.args(["verify", "-attime", &at.seconds().to_string(), "-auth_level", "2"]);
        command.args(["-policy_check", "-policy", "2.5.29.32.0", "-trusted"]).arg(files.path(root)?);
        for intermediate in intermediates {
            command.arg("-untrusted").arg(files.path(intermediate)?);
        }
        let mut by_file = BTreeMap::new();
        for index in members {
            let path = files.path(&chains[index].certificate)?;
            command.arg(&path);
            by_file.insert(path.to_string_lossy().into_owned(), index);
        }
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for (file, message) in failures(&said) {
            if let Some(index) = by_file.get(&file) {
                verdicts[*index] = Some(message);
            }
        }
        let accepted = String::from_utf8_lossy(&output.stdout).matches(": OK").count();
        let refused = by_file.values().filter(|index| verdicts[**index].is_some()).count();
        if accepted + refused != by_file.len() {
            return Err(std::io::Error::other(format!(
                "openssl said nothing about some certificates: {said}"
            )));
        }
    }
    Ok(verdicts)
}

/// The first error of each refused file, without the depth.
fn failures(said: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut message: Option<String> = None;
    for line in said.lines() {
        if let Some((_, text)) = line.split_once(" depth lookup: ") {
            message.get_or_insert_with(|| text.to_owned());
        } else if let Some(file) =
            line.strip_prefix("error ").and_then(|rest| rest.strip_suffix(": verification failed"))
        {
            found.push((file.to_owned(), message.take().unwrap_or_else(|| "verification failed".to_owned())));
        } else if let Some((_, rest)) = line.split_once("Could not find certificate from ") {
            found.push((rest.trim_end_matches(" of certificate file").to_owned(), "unreadable".to_owned()));
        }
    }
    found
}

/// A CA of the `openssl` command: what it signs is what CAs in the field sign.
pub struct OpensslCa {
    folder: tempfile::TempDir,
}

impl OpensslCa {
    /// A CA with a P-256 key, one certificate under it, and a delegate for OCSP responses.
    ///
    /// Errors: the command cannot be run, or refuses.
    pub fn new() -> std::io::Result<Self> {
        let ca = Self { folder: tempfile::tempdir()? };
        ca.write("index.txt", "")?;
        ca.write("crlnumber", "1000\n")?;
        ca.write("serial", "01\n")?;
        let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\nserial=serial\n\
            default_md=sha256\ndefault_crl_days=3\nnew_certs_dir=.\npolicy=p\nrand_serial=yes\n\
            [p]\ncommonName=supplied\n[leaf]\nkeyUsage=digitalSignature\n\
            [ocsp]\nextendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature\n\
            [crl]\nauthorityKeyIdentifier=keyid\n";
        ca.write("ca.cnf", config)?;
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
        ca.run(
            "req",
            &[&["-x509", "-subj", "/CN=Openssl CA", "-days", "30"][..], &key, &["ca.key", "-out", "ca.pem"]]
                .concat(),
        )?;
        for (name, section) in [("leaf", "leaf"), ("delegate", "ocsp")] {
            let (key_file, request, file) =
                (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
            let subject = format!("/CN={name}");
            ca.run(
                "req",
                &[&["-subj", subject.as_str()][..], &key, &[&key_file, "-out", &request]].concat(),
            )?;
            ca.run(
                "ca",
                &[
                    "-batch",
                    "-config",
                    "ca.cnf",
                    "-cert",
                    "ca.pem",
                    "-keyfile",
                    "ca.key",
                    "-days",
                    "20",
                    "-notext",
                    "-extensions",
                    section,
                    "-in",
                    &request,
                    "-out",
                    &file,
                ],
            )?;
        }
        Ok(ca)
    }

    /// The CA's certificate, DER.
    pub fn certificate(&self) -> std::io::Result<Vec<u8>> {
        self.der("ca.pem")
    }

    /// The certificate under it, DER.
    pub fn leaf(&self) -> std::io::Result<Vec<u8>> {
        self.der("leaf.pem")
    }

    /// Revokes the certificate, for one of the reasons that the command knows.
    pub fn revoke(&self, reason: &str) -> std::io::Result<()> {
        let common = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];
        self.run("ca", &[&common[..], &["-revoke", "leaf.pem", "-crl_reason", reason]].concat())
    }

    /// A CRL, DER.
    pub fn crl(&self) -> std::io::Result<Vec<u8>> {
        let common = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];
        self.run("ca", &[&common[..], &["-gencrl", "-crlexts", "crl", "-out", "crl.pem"]].concat())?;
        self.run("crl", &["-in", "crl.pem", "-outform", "DER", "-out", "crl.der"])?;
        std::fs::read(self.folder.path().join("crl.der"))
    }

    /// An OCSP response on the certificate, by the CA itself or by its delegate, with a CertID of this
    /// digest.
    pub fn ocsp(&self, by_delegate: bool, digest: &str) -> std::io::Result<Vec<u8>> {
        let signer: [&str; 4] = match by_delegate {
            true => ["-rsigner", "delegate.pem", "-rkey", "delegate.key"],
            false => ["-rsigner", "ca.pem", "-rkey", "ca.key"],
        };
        let digest = format!("-{digest}");
        let question = ["-index", "index.txt", "-CA", "ca.pem", "-issuer", "ca.pem", digest.as_str()];
        let rest = ["-cert", "leaf.pem", "-ndays", "1", "-noverify", "-respout", "response.der"];
        self.run("ocsp", &[&question[..], &signer, &rest].concat())?;
        std::fs::read(self.folder.path().join("response.der"))
    }

    /// A signature with the CA's key, as it stands in certificates: what `openssl dgst` makes.
    pub fn sign(&self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        std::fs::write(self.folder.path().join("message"), message)?;
        self.run("dgst", &["-sha256", "-sign", "ca.key", "-out", "signature", "message"])?;
        std::fs::read(self.folder.path().join("signature"))
    }

    fn der(&self, pem: &str) -> std::io::Result<Vec<u8>> {
        self.run("x509", &["-in", pem, "-outform", "DER", "-out", "one.der"])?;
        std::fs::read(self.folder.path().join("one.der"))
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        std::fs::write(self.folder.path().join(name), text)
    }

    fn run(&self, command: &str, arguments: &[&str]) -> std::io::Result<()> {
        let output =
            Command::new("openssl").arg(command).args(arguments).current_dir(self.folder.path()).output()?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                Err(std::io::Error::other(format!("openssl {command} {arguments:?}: {said}")))
            }
        }
    }
}

struct Files<'a> {
    folder: &'a Path,
    written: BTreeMap<Vec<u8>, PathBuf>,
}

impl Files<'_> {
    fn path(&mut self, der: &[u8]) -> std::io::Result<PathBuf> {
        if let Some(path) = self.written.get(der) {
            return Ok(path.clone());
        }
        let path = self.folder.join(format!("{}.der", self.written.len()));
        std::fs::write(&path, der)?;
        self.written.insert(der.to_vec(), path.clone());
        Ok(path)
    }
}
