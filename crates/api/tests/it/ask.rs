//! One request and its answer, without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use tabellion_api::{FaceConfig, router};
use tabellion_ledger::{StateProof, cbor};
use tabellion_machine::{ProblemDetails, StatusAnswer};
use tower::ServiceExt;

use crate::world::World;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn problem(&self) -> ProblemDetails {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem: ProblemDetails = self.json();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.kind, format!("/problems/{}", problem.code));
        problem
    }
}

/// Sends a request; `headers` are pairs.
pub async fn ask(face: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = face.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 64 * 1024 * 1024).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub async fn get(face: &Router, path: &str) -> Answer {
    ask(face, "GET", path, &[], Vec::new()).await
}

pub async fn get_json(face: &Router, path: &str) -> Answer {
    ask(face, "GET", path, &[("accept", "application/json")], Vec::new()).await
}

pub async fn post(face: &Router, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    ask(face, "POST", path, &[("content-type", media_type)], body.into()).await
}

pub fn face(world: &Arc<World>) -> Router {
    router(world.clone(), FaceConfig::default())
}

/// Checks a proof offline and returns what it proves.
pub fn verified(world: &World, answer: &StatusAnswer) -> StateProof {
    use tabellion_api::Backend;

    let proof: StateProof = cbor::from_bytes(&STANDARD.decode(&answer.proof).unwrap(), 1 << 20).unwrap();
    let id = answer.certificate.parse().unwrap();
    let roster = world.genesis().roster();
    proof.verify(&world.ledger(), &roster, &tabellion_pki::certificate_key(&id)).unwrap();
    proof
}

pub fn pem_of(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}
