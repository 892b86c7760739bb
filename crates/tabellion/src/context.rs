//! Which network a command talks to, and as whom.
//!
//! A network's folder holds `client.toml`; its paths are relative to that folder:
//!
//! ```toml
//! nodes = ["https://127.0.0.1:8441", "https://127.0.0.1:8442"]
//! ca = "tls-ca.pem"            # the nodes' CAs; or: pin = "<SHA-256 of a node's public key>"
//! genesis = "genesis.cbor"
//! key = "keys/user.pem"        # optional: signs transactions
//!
//! [bench]                      # optional: a CA under a trusted root, for `bench publish`
//! issuer = "ca/issuing.pem"
//! issuer_key = "ca/issuing-key.pem"
//! ```

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tabellion_client::{
    LedgerRules, LightClient, NodeClient, NodeTrust, RelyingParty, SigningKey, Trust, is_encrypted_key_file,
    is_readable_by_others, read_key_file,
};
use tabellion_ledger::KeyId;

use crate::cli::NetworkOptions;
use crate::failure::{Code, Failure};
use crate::moment::now;
use crate::output::Output;

const DEFAULT_FOLDER: &str = "tabellion-data";
const FILE: &str = "client.toml";
const HEARTBEATS: u64 = 2;
const AGE_SLACK_MS: u64 = 60_000;

/// `client.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    #[serde(default)]
    nodes: Vec<String>,
    ca: Option<PathBuf>,
    pin: Option<String>,
    genesis: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    bench: BenchFile,
}

/// The `[bench]` table of `client.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchFile {
    /// Certificate of the issuing CA.
    pub issuer: Option<PathBuf>,
    /// Its key.
    pub issuer_key: Option<PathBuf>,
}

/// The network of a command.
pub struct Context {
    options: NetworkOptions,
    /// Everything below `[bench]`, with paths resolved.
    pub bench: BenchFile,
    folder: Option<PathBuf>,
    output: Output,
    /// How the node is known, where no file says it.
    trust: Option<NodeTrust>,
}

impl Context {
    /// Joins command line, environment and the network's `client.toml`, in this order.
    pub fn new(mut options: NetworkOptions, output: Output) -> Result<Self, Failure> {
        let folder = options.network.clone().or_else(|| {
            let folder = PathBuf::from(DEFAULT_FOLDER);
            folder.join(FILE).is_file().then_some(folder)
        });
        let Some(folder) = folder else {
            return Ok(Self { options, bench: BenchFile::default(), folder: None, output, trust: None });
        };
        let file = read_client_file(&folder)?;
        let resolve = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        if options.node.is_empty() {
            options.node = file.nodes;
        }
        if options.ca.is_none() && options.pin.is_none() {
            options.ca = resolve(file.ca);
            options.pin = file.pin;
        }
        options.genesis = options.genesis.or_else(|| resolve(file.genesis));
        options.key = options.key.or_else(|| resolve(file.key));
        let BenchFile { issuer, issuer_key } = file.bench;
        let bench = BenchFile { issuer: resolve(issuer), issuer_key: resolve(issuer_key) };
        Ok(Self { options, bench, folder: Some(folder), output, trust: None })
    }

    /// This network, seen through one node alone, whose folder keeps the memory of headers.
    pub fn of_node(
        &self,
        node: String,
        trust: NodeTrust,
        genesis: PathBuf,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mut options = self.options.clone();
        (options.node, options.genesis) = (vec![node], Some(genesis));
        let (bench, folder) = (BenchFile::default(), Some(folder.to_owned()));
        Ok(Self { options, bench, folder, output: self.output, trust: Some(trust) })
    }

    /// This network, seen through one node alone.
    pub fn through(&self, node: String, trust: NodeTrust) -> Self {
        let options = NetworkOptions { node: vec![node], ..self.options.clone() };
        let (bench, folder) = (BenchFile::default(), self.folder.clone());
        Self { options, bench, folder, output: self.output, trust: Some(trust) }
    }

    /// This network, with the genesis document of a node's folder where none is named.
    pub fn with_genesis(&self, genesis: PathBuf) -> Result<Self, Failure> {
        let mut options = self.options.clone();
        options.genesis.get_or_insert(genesis);
        let folder = self.folder.clone();
        Ok(Self { options, bench: BenchFile::default(), folder, output: self.output, trust: None })
    }

    /// The genesis document.
    pub fn trust(&self) -> Result<Trust, Failure> {
        let path = self.options.genesis.as_ref().ok_or_else(|| {
            Failure::new(Code::Usage, "no genesis document is named; without it nothing can be proved").hint(
                "name one with --genesis FILE, or the folder of a network with --network DIR; `tabellion \
                 dev` makes both",
            )
        })?;
        let bytes = read_file(path, "genesis document")?;
        Trust::from_bytes(&bytes).map_err(|error| {
            let failure = Failure::from(error);
            Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
        })
    }

    /// The nodes.
    pub fn nodes(&self) -> Result<NodeClient, Failure> {
        if self.options.node.is_empty() {
            return Err(Failure::new(Code::Usage, "no node is named").hint(format!(
                "name one with --node URL, or the folder of a network with --network DIR \
                 [default: ./{DEFAULT_FOLDER}]"
            )));
        }
        Ok(NodeClient::new(&self.options.node, &self.node_trust()?)?)
    }

    /// Addresses of the nodes.
    pub fn node_urls(&self) -> &[String] {
        &self.options.node
    }

    /// The file with the CAs by which the nodes are known.
    pub fn ca_file(&self) -> Option<&Path> {
        self.options.ca.as_deref()
    }

    /// How the nodes are known.
    pub fn node_trust(&self) -> Result<NodeTrust, Failure> {
        if let Some(trust) = &self.trust {
            return Ok(trust.clone());
        }
        match (&self.options.ca, &self.options.pin) {
            (Some(path), _) => Ok(NodeTrust::Authorities(read_file(path, "CA file")?)),
            (None, Some(pin)) => Ok(NodeTrust::PinnedKey(parse_pin(pin)?)),
            (None, None) => Err(Failure::new(Code::Usage, "nothing says how the node is known").hint(
                "name its CA with --ca FILE (tls-ca.pem of the network; `tabellion node cas` makes it), or \
                 its key with --pin HEX",
            )),
        }
    }

    /// Nodes, genesis document and the memory of headers.
    pub fn relying_party(&self) -> Result<RelyingParty, Failure> {
        let (trust, nodes) = (self.trust()?, self.nodes()?);
        let age_ms_max = self.age_ms_max(&trust);
        let light = match self.memory_path(&trust) {
            Some(path) => LightClient::open(trust, &path)?,
            None => LightClient::new(trust),
        };
        Ok(RelyingParty::new(nodes, light, age_ms_max))
    }

    /// The rules that hold now, proved, and the relying party that asked for them.
    pub async fn rules(&self) -> Result<(RelyingParty, LedgerRules), Failure> {
        let mut party = self.relying_party()?;
        let cache = self.memory_path(party.light().trust()).map(|path| path.with_extension("cas"));
        let rules = party.rules(cache.as_deref(), now()).await?;
        self.remember(&party);
        Ok((party, rules))
    }

    /// The age of the oldest proof that is accepted. Unit: ms.
    pub fn age_ms_max(&self, trust: &Trust) -> u64 {
        let heartbeat_ms = trust.genesis().parameters.block.heartbeat_ms;
        match self.options.max_age {
            Some(span) => span.ms(),
            // A ledger without heartbeat is as old as its last transaction.
            None if heartbeat_ms == 0 => u64::MAX,
            None => heartbeat_ms.saturating_mul(HEARTBEATS).saturating_add(AGE_SLACK_MS),
        }
    }

    /// Writes the memory of headers; where that fails, the command does not.
    pub fn remember(&self, party: &RelyingParty) {
        if let Err(error) = party.save() {
            self.output.warn(format!("the newest header could not be remembered: {}", Failure::from(error)));
        }
    }

    /// In the network's folder, else in the user's state folder.
    fn memory_path(&self, trust: &Trust) -> Option<PathBuf> {
        let name = format!("headers-{}.cbor", &trust.ledger().to_string()[..16]);
        let folder = match &self.folder {
            Some(folder) => folder.join("client"),
            None => state_folder()?,
        };
        fs::create_dir_all(&folder).ok()?;
        Some(folder.join(name))
    }

    /// Path of the key file.
    pub fn key_path(&self) -> Result<&Path, Failure> {
        self.options.key.as_deref().ok_or_else(|| {
            Failure::new(Code::Usage, "no key is named that signs the transaction")
                .hint("name a key file with --key FILE; `tabellion key new FILE` makes one")
        })
    }

    /// The key that signs transactions.
    pub fn key(&self) -> Result<SigningKey, Failure> {
        self.open_key(self.key_path()?)
    }

    /// Opens a key file; asks for its passphrase where it has one.
    pub fn open_key(&self, path: &Path) -> Result<SigningKey, Failure> {
        if !is_encrypted_key_file(path)? && is_readable_by_others(path) {
            self.output.warn(format!("others can read {} (chmod 600 it)", path.display()));
        }
        let from_file = self.passphrase_from_file()?;
        let ask = || from_file.or_else(|| ask_passphrase(&format!("Passphrase of {}: ", path.display())));
        Ok(read_key_file(path, ask)?)
    }

    /// The passphrase from a file, if one is named.
    pub fn passphrase_from_file(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.options.passphrase_file else { return Ok(None) };
        let text = String::from_utf8(read_file(path, "passphrase file")?);
        let text = text.map_err(|_| Failure::new(Code::Error, format!("{} is no text", path.display())))?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Some(line.to_owned())),
            _ => Err(Failure::new(Code::Error, format!("the first line of {} is empty", path.display()))),
        }
    }
}

/// Asks on the terminal; `None` where there is none.
pub fn ask_passphrase(prompt: &str) -> Option<String> {
    std::io::stdin().is_terminal().then(|| rpassword::prompt_password(prompt).ok()).flatten()
}

fn parse_pin(pin: &str) -> Result<KeyId, Failure> {
    let digits: String = pin.trim_start_matches("sha256:").chars().filter(|c| *c != ':').collect();
    digits.to_lowercase().parse().map_err(|error| Failure::new(Code::Usage, format!("--pin: {error}")))
}

fn state_folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")));
    Some(state?.join("tabellion"))
}

fn read_client_file(folder: &Path) -> Result<ClientFile, Failure> {
    let path = folder.join(FILE);
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::new(Code::Error, format!("cannot read {}: {error}", path.display()))
            .hint("--network names the folder that `tabellion dev` or `tabellion network init` made")
    })?;
    toml::from_str(&text)
        .map_err(|error| Failure::new(Code::Error, format!("{} is refused: {error}", path.display())))
}

/// Reads a whole file that a command names.
pub fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path)
        .map_err(|error| Failure::new(Code::Error, format!("cannot read {what} {}: {error}", path.display())))
}

/// Writes a whole file that a command names.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes)
        .map_err(|error| Failure::new(Code::Error, format!("cannot write {}: {error}", path.display())))
}
