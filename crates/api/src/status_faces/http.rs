//! HTTP: OCSP by POST and GET (RFC 6960 A.1, RFC 5019), CRLs and certificates by GET (RFC 5280 8, RFC 7296
//! 3.6).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use tabellion_ledger::{CertificateId, TimeMs, sha256};

use super::StatusFaces;
use super::authority::{by_crl_name, by_crl_path};
use super::counters::Count;
use super::crl::FoundCrl;
use super::ocsp::{Keep, OcspAnswer, REQUEST_BYTES_MAX};
use crate::face::{Face, Shared};
use crate::input::Body;
use crate::problem::Problem;

const OCSP_REQUEST: &str = "application/ocsp-request";
const OCSP_RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");
const CRL: HeaderValue = HeaderValue::from_static("application/pkix-crl");
const CERTIFICATE: HeaderValue = HeaderValue::from_static("application/pkix-cert");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
/// A certificate never changes.
const KEPT_FOR_A_DAY: HeaderValue =
    HeaderValue::from_static("max-age=86400, public, no-transform, immutable");
/// Where a path may begin that ends in a request: an old URL seldom has more parts.
const PATH_PARTS_MAX: usize = 8;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/ocsp", post(ocsp_post))
        .route("/ocsp/", post(ocsp_post))
        .route("/ocsp/{*request}", get(ocsp_get).post(ocsp_post))
        .route("/crl/{name}", get(crl))
        .route("/ikev2/{sha1}", get(ikev2))
}

/// The faces; a router has these routes only where they are there.
fn faces(face: &Face) -> Result<Arc<StatusFaces>, Problem> {
    face.status.clone().ok_or_else(|| Problem::new("no-such-path", "this node has no such face"))
}

/// Any path of the plain listener: OCSP where the request is one, a CRL where the path is one's.
pub(crate) async fn at_any_path(State(face): State<Shared>, request: Request) -> Result<Response, Problem> {
    match *request.method() {
        Method::POST => ocsp_post(State(face), request).await,
        Method::GET | Method::HEAD => {
            let faces = faces(&face)?;
            let authorities = faces.authorities();
            if let Some(authority) = by_crl_path(&authorities, request.uri().path()) {
                return crl_answer(&faces, Some(authority.id)).await;
            }
            match request_in_path(request.uri()) {
                Some(asked) => Ok(cacheable(&faces, faces.ocsp(asked).await)),
                None => Err(crate::node::no_such_path(request.uri().clone()).await),
            }
        }
        _ => {
            let problem =
                crate::node::method_not_allowed(request.method().clone(), request.uri().clone()).await;
            Ok(([(ALLOW, HeaderValue::from_static("GET, HEAD, POST"))], problem).into_response())
        }
    }
}

/// What the plain listener says of itself.
pub(crate) async fn index(State(face): State<Shared>) -> Result<Response, Problem> {
    let faces = faces(&face)?;
    let ledger = face.backend.ledger();
    let mut text = format!("Tabellion node of ledger {ledger}\n\n");
    match faces.follows() {
        Ok(()) => text.push_str("It follows the ledger.\n\n"),
        Err(stale) => text.push_str(&format!("It does not follow the ledger: {stale}.\n\n")),
    }
    text.push_str("POST /ocsp, GET /ocsp/<base64>    OCSP (RFC 6960)\n");
    text.push_str("GET  /crl/<sha256 of CA>.crl      its CRL\n");
    text.push_str("GET  /ikev2/<sha1>                a certificate (RFC 7296 3.6)\n");
    if face.ct.is_some() {
        text.push_str("GET  /ct/v1/                      Certificate Transparency (RFC 6962)\n");
    }
    for authority in faces.authorities().iter() {
        let told = [("OCSP", authority.ocsp.is_some()), ("CRL", authority.crl.is_some())];
        let told: Vec<&str> = told.into_iter().filter(|(_, has)| *has).map(|(word, _)| word).collect();
        text.push_str(&format!("\nCA {}: {}", authority.id, told.join(", ")));
    }
    text.push('\n');
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(CONTENT_TYPE, plain)], text).into_response())
}

/// OCSP by POST.
pub(crate) async fn ocsp_post(State(face): State<Shared>, request: Request) -> Result<Response, Problem> {
    let faces = faces(&face)?;
    let body = Body::receive(&face, request, &[OCSP_REQUEST], REQUEST_BYTES_MAX).await?;
    let OcspAnswer { der, .. } = faces.ocsp(body.bytes).await;
    Ok(([(CONTENT_TYPE, OCSP_RESPONSE)], der).into_response())
}

/// OCSP by GET.
async fn ocsp_get(State(face): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let faces = faces(&face)?;
    // What cannot be read is answered in OCSP's own words.
    let asked = request_in_path(&uri).unwrap_or_default();
    Ok(cacheable(&faces, faces.ocsp(asked).await))
}

/// The request at the end of a path: base64, which may hold slashes, percent-encoded or not.
fn request_in_path(uri: &Uri) -> Option<Bytes> {
    let path = uri.path();
    if path.len() > REQUEST_BYTES_MAX * 2 {
        return None;
    }
    let starts = path.match_indices('/').take(PATH_PARTS_MAX).map(|(at, _)| &path[at + 1..]);
    // The first octet of DER is a SEQUENCE's, in base64 an M.
    starts.filter(|rest| rest.starts_with('M')).find_map(decoded)
}

fn decoded(text: &str) -> Option<Bytes> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let mut value = [0];
                hex::decode_to_slice(digits, &mut value).ok()?;
                value[0]
            }
            // Some clients forget to encode it, and some proxies read it as a space.
            b' ' => b'+',
            byte => byte,
        });
    }
    let bare: Vec<u8> = plain.iter().copied().filter(|byte| *byte != b'=').collect();
    let decoded = STANDARD.decode(&plain).or_else(|_| STANDARD_NO_PAD.decode(&bare));
    decoded.or_else(|_| URL_SAFE_NO_PAD.decode(&bare)).ok().map(Bytes::from)
}

fn cacheable(faces: &StatusFaces, answer: OcspAnswer) -> Response {
    let OcspAnswer { der, keep } = answer;
    let headers = match keep {
        Some(keep) => keeping(&keep, &der, faces.now()),
        None => HeaderMap::from_iter([(CACHE_CONTROL, NOT_KEPT)]),
    };
    (headers, [(CONTENT_TYPE, OCSP_RESPONSE)], der).into_response()
}

/// How long caches may keep an answer. Source: RFC 5019 6.2 (recommended).
///
/// They ask again when the node makes a new one, at half of the validity.
fn keeping(keep: &Keep, bytes: &[u8], now: TimeMs) -> HeaderMap {
    let seconds = keep.until.0.saturating_sub(now.0) / 1000;
    let tag: String = sha256(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let rows = [
        (LAST_MODIFIED, http_date(keep.this_update)),
        (EXPIRES, http_date(keep.next_update)),
        (ETAG, format!("\"{tag}\"")),
        (CACHE_CONTROL, format!("max-age={seconds}, public, no-transform, must-revalidate")),
    ];
    let value = |text: String| HeaderValue::try_from(text).ok();
    rows.into_iter().filter_map(|(name, text)| Some((name, value(text)?))).collect()
}

/// A date of HTTP (RFC 9110 5.6.7).
fn http_date(time: TimeMs) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.0 / 1000;
    let Ok(date) = der::DateTime::from_unix_duration(Duration::from_secs(seconds)) else {
        return String::new();
    };
    let day = DAYS[usize::try_from(seconds / 86_400 % 7).unwrap_or_default()];
    let month = MONTHS[usize::from(date.month().clamp(1, 12)) - 1];
    let (day_of_month, year) = (date.day(), date.year());
    let (hour, minute, second) = (date.hour(), date.minutes(), date.seconds());
    format!("{day}, {day_of_month:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// A CA's CRL, by the SHA-256 of its certificate or by a name from the node's file.
async fn crl(State(face): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    let faces = faces(&face)?;
    let name = name.strip_suffix(".crl").unwrap_or(&name);
    let id = match by_crl_name(&faces.authorities(), name) {
        Some(authority) => Some(authority.id),
        None => name.parse().ok(),
    };
    crl_answer(&faces, id).await
}

async fn crl_answer(faces: &Arc<StatusFaces>, id: Option<CertificateId>) -> Result<Response, Problem> {
    let Some(id) = id else {
        faces.counters.add(Count::CrlMissing);
        let detail = "no CA of that name; a CRL stands under the SHA-256 of the CA's certificate too";
        return Err(Problem::new("no-crl", detail));
    };
    let authorities = faces.authorities();
    let authority = authorities.iter().find(|authority| authority.id == id);
    let now = faces.now();
    let (keep, der) = match faces.crl(authority, id).await? {
        FoundCrl::Own(crl) => {
            let (this_update, next_update, until) = (crl.this_update, crl.next_update, crl.until);
            (Keep { this_update, next_update, until }, crl.der)
        }
        FoundCrl::Recorded(crl) => {
            let (this_update, next_update) = (crl.at, crl.until);
            (Keep { this_update, next_update, until: now }, crl.der.unwrap_or_default())
        }
        FoundCrl::Late(why) => return Err(Problem::new("not-ready", why)),
        FoundCrl::Missing(why) => {
            faces.counters.add(Count::CrlMissing);
            return Err(Problem::new("no-crl", why));
        }
    };
    faces.counters.add(Count::CrlServed);
    let mut headers = keeping(&keep, &der, now);
    // It may be followed by a newer one at any moment.
    headers
        .insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60, public, no-transform, must-revalidate"));
    Ok((headers, [(CONTENT_TYPE, CRL)], der).into_response())
}

/// A certificate by its SHA-1: IKEv2 "hash and URL". Source: RFC 7296 3.6.
async fn ikev2(State(face): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    let faces = faces(&face)?;
    let name = name.strip_suffix(".cer").unwrap_or(&name);
    let mut sha1 = [0; 20];
    if hex::decode_to_slice(name, &mut sha1).is_err() {
        let detail = "a certificate stands under its SHA-1: 40 hexadecimal digits";
        return Err(Problem::new("certificate-not-held", detail));
    }
    match faces.certificate_by_sha1(sha1).await? {
        Some(der) => {
            faces.counters.add(Count::IkeFound);
            Ok(([(CONTENT_TYPE, CERTIFICATE), (CACHE_CONTROL, KEPT_FOR_A_DAY)], der).into_response())
        }
        None => {
            faces.counters.add(Count::IkeMissing);
            let detail = format!("this node holds no certificate with SHA-1 {}", hex::encode(sha1));
            Err(Problem::new("certificate-not-held", detail))
        }
    }
}
