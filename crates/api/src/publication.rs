//! From the certificates of a request to the action that publishes the first of them.

use tabellion_ledger::{CertificateId, KeyId, cbor};
use tabellion_pki::{Action, Entry, INTERMEDIATES_MAX, Status, Window};

use crate::anchors::{Anchors, Link};
use crate::problem::Problem;

/// Certificates of one request: the certificate, its chain, and some that a server's chain file holds
/// besides.
const CERTIFICATES_MAX: usize = 32;

/// What a request asks for besides the certificates.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) root: Option<CertificateId>,
    pub(crate) status: Option<Status>,
    pub(crate) window: Option<Window>,
}

/// A publish action with its attachments.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) certificate: CertificateId,
    pub(crate) key: KeyId,
    pub(crate) action: Vec<u8>,
    pub(crate) attachments: Vec<Vec<u8>>,
}

/// Puts the chain of the first certificate together; the others may come in any order, and more than are
/// needed.
///
/// Refuses: a certificate that cannot be read, a chain that leads to no trusted CA.
pub(crate) fn publication(
    certificates: &[Vec<u8>],
    asked: &Asked,
    anchors: &Anchors,
) -> Result<Publication, Problem> {
    if certificates.len() > CERTIFICATES_MAX {
        let detail =
            format!("{} certificates; a request holds at most {CERTIFICATES_MAX}", certificates.len());
        return Err(Problem::new("too-many-certificates", detail));
    }
    let links: Result<Vec<Link>, Problem> = certificates.iter().enumerate().map(read_link).collect();
    let links = links?;
    let (path, root) = find_path(&links, asked, anchors)?;
    let Some(first) = links.first() else {
        return Err(Problem::new("malformed-pem", "the request holds no certificate"));
    };
    let entry = Entry {
        certificate: first.facts.certificate,
        key: first.facts.key,
        status: asked.status.unwrap_or(Status::Normal),
        validity: Window { from: first.facts.not_before, until: first.facts.not_after },
        window: asked.window,
        intermediates: path.iter().map(|place| links[*place].facts.certificate).collect(),
        root,
    };
    let (certificate, key) = (entry.certificate, entry.key);
    let attachments = std::iter::once(0).chain(path).map(|place| certificates[place].clone()).collect();
    Ok(Publication { certificate, key, action: cbor::to_bytes(&Action::Publish(vec![entry])), attachments })
}

fn read_link((place, der): (usize, &Vec<u8>)) -> Result<Link, Problem> {
    Link::of(der).map_err(|refusal| {
        let detail = format!("certificate {} of the request: {refusal}", place + 1);
        Problem::new("malformed-certificate", detail)
    })
}

/// The places of the intermediate certificates, the issuer of the first certificate first, and the root.
fn find_path(
    links: &[Link],
    asked: &Asked,
    anchors: &Anchors,
) -> Result<(Vec<usize>, CertificateId), Problem> {
    let named = asked.root.map(|id| (id, anchors.get(&id)));
    let mut path = Vec::new();
    let Some(mut at) = links.first() else {
        return Err(Problem::new("malformed-pem", "the request holds no certificate"));
    };
    loop {
        let root = match named {
            Some((id, anchor)) => anchor.filter(|anchor| anchor.may_have_issued(at)).map(|_| id),
            None => anchors.issuer_of(at).map(|anchor| anchor.facts.certificate),
        };
        if let Some(root) = root {
            return Ok((path, root));
        }
        let next = (1..links.len()).find(|place| !path.contains(place) && links[*place].may_have_issued(at));
        match (next, named) {
            (Some(_), _) if path.len() == INTERMEDIATES_MAX => {
                let detail = format!("more than {INTERMEDIATES_MAX} intermediate certificates");
                return Err(Problem::new("too-many-intermediates", detail));
            }
            (Some(place), _) => {
                path.push(place);
                at = &links[place];
            }
            // The validators refuse a root that is not trusted, with the facts.
            (None, Some((id, None))) => return Ok((path, id)),
            (None, _) => return Err(incomplete(at)),
        }
    }
}

fn incomplete(at: &Link) -> Problem {
    let facts = &at.facts;
    match at.is_self_issued() {
        true => {
            let detail = format!(
                "the chain ends in \"{}\" ({}), which is not one of the trusted CAs",
                facts.subject, facts.certificate
            );
            Problem::new("unknown-root", detail)
        }
        false => {
            let detail = format!(
                "\"{}\" was issued by \"{}\", which is neither in the request nor one of the trusted CAs",
                facts.subject, facts.issuer
            );
            Problem::new("chain-incomplete", detail)
        }
    }
}
