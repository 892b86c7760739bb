//! The plan of a network: what its founders agree on before the genesis document is made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tabellion_client::SigningKey;
use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_ledger::{Algorithm, CertificateId, MemberId, PublicKey, TimeMs, Validator};
use tabellion_machine::{Ruleset, RulesetFault};
use tabellion_pki::{ParameterFault, TrustAnchor};

use super::files::read;

/// A network's plan, as a TOML file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The ledger's name.
    pub name: String,
    /// PEM files, or folders of PEM files, with the certificates of the trusted CAs.
    #[serde(default)]
    pub anchors: Vec<PathBuf>,
    /// The organisations.
    pub members: Vec<PlanMember>,
    /// The validator nodes.
    pub validators: Vec<PlanValidator>,
    /// Parameters, where they differ from the defaults.
    #[serde(default)]
    pub parameters: Parameters,
}

/// An organisation of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanMember {
    /// Its name for good.
    pub id: MemberId,
    /// Its name, for people.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Its public keys: hexadecimal DER SubjectPublicKeyInfo, as `tabellion key show` prints it. Without one,
    /// a key is made in `keys/<id>.pem`.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A validator node of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanValidator {
    /// Its name.
    pub name: String,
    /// The organisation that runs it.
    pub member: MemberId,
    /// `host:port` where other nodes reach it.
    pub address: String,
    /// `host:port` where clients reach it.
    pub rest: String,
    /// Its public key, hexadecimal DER SubjectPublicKeyInfo. Without one, a key is made in the node's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The public key in a plan's text.
pub fn public_key(text: &str) -> Result<PublicKey> {
    let spki = hex::decode(text).context("a public key is hexadecimal")?;
    PublicKey::from_spki(&spki)
        .context("a public key is a SubjectPublicKeyInfo of Ed25519, P-256 or ML-DSA-65")
}

/// Makes the genesis document; `make_key` gives the key of a member or node that brought none.
///
/// Trusted CAs that cannot be used are left out and named.
pub fn genesis(
    plan: &Plan,
    base: &Path,
    time: TimeMs,
    mut make_key: impl FnMut(&Path) -> Result<SigningKey>,
) -> Result<(Genesis, Vec<String>)> {
    let mut members = Vec::new();
    for PlanMember { id, name, roles, keys } in &plan.members {
        let keys = match keys.is_empty() {
            true => vec![make_key(&PathBuf::from(format!("keys/{id}.pem")))?.public().clone()],
            false => keys.iter().map(|key| public_key(key)).collect::<Result<_>>()?,
        };
        members.push(GenesisMember { id: id.clone(), name: name.clone(), keys, roles: roles.clone() });
    }
    let mut validators = Vec::new();
    for PlanValidator { name, member, address, key, .. } in &plan.validators {
        let key = match key {
            Some(key) => public_key(key)?,
            None => make_key(&PathBuf::from(format!("nodes/{name}/node-key.pem")))?.public().clone(),
        };
        if key.algorithm() != Algorithm::Ed25519 {
            bail!("the key of validator {name} is {}; a node's key is Ed25519", key.algorithm());
        }
        let key = key.as_bytes().try_into().context("an Ed25519 key has 32 bytes")?;
        let validator = Validator { key, member: member.clone(), name: name.clone() };
        validators.push(GenesisValidator { validator, address: address.clone() });
    }
    let (anchors, left_out) = usable(anchors(plan, base)?, &plan.parameters)?;
    let name = plan.name.clone();
    let parameters = plan.parameters.clone();
    let genesis = Genesis { name, time, members, validators, parameters, anchors };
    Ok((genesis.new().context("the plan makes no network")?, left_out))
}

fn anchors(plan: &Plan, base: &Path) -> Result<Vec<Vec<u8>>> {
    let mut anchors = Vec::new();
    for path in &plan.anchors {
        let path = base.join(path);
        let files = match path.is_dir() {
            true => std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?,
            false => vec![path],
        };
        for file in files {
            let blocks =
                pem::parse_many(read(&file)?).with_context(|| format!("{} is not PEM", file.display()))?;
            let certificates = blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE");
            anchors.extend(certificates.map(pem::Pem::into_contents));
        }
    }
    anchors.sort();
    anchors.dedup();
    Ok(anchors)
}

/// Leaves out the CAs whose certificates the verifier refuses as trust anchors.
fn usable(mut anchors: Vec<Vec<u8>>, parameters: &Parameters) -> Result<(Vec<Vec<u8>>, Vec<String>)> {
    let mut left_out = Vec::new();
    loop {
        let prepared = anchors.iter().map(|der| TrustAnchor { certificate: der.clone() }).collect();
        match Ruleset::new(Default::default(), parameters.clone(), prepared) {
            Ok(_) => return Ok((anchors, left_out)),
            Err(RulesetFault::Certificate(ParameterFault::Anchor { index, refusal })) => {
                let der = anchors.remove(index);
                left_out.push(format!("{}: {refusal}", CertificateId::of(&der)));
            }
            Err(fault) => return Err(fault).context("the plan's parameters cannot be followed"),
        }
    }
}
