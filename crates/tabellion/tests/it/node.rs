//! A node's REST face over a ledger in memory: TLS 1.3, the paths that the client asks, one block per
//! transaction.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tabellion_ledger::cbor::{self, Writer};
use tabellion_ledger::{CertificateId, Height, KeyId, StateKey, Transaction, TransactionId, View};
use tabellion_machine::{
    BlockAnswer, ChainHeader, HeaderAnswer, KeyAnswer, LaneAnswer, Refusal, StatusAnswer,
};
use tabellion_pki::{Facts, certificate, certificates_of_key, certificates_of_key_key, scheduled};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::ledger::Ledger;

pub struct Node {
    pub ledger: Arc<Mutex<Ledger>>,
    _runtime: Runtime,
}

impl Node {
    /// Starts a node and writes the files of its network into a folder.
    pub fn start(folder: &Path) -> Self {
        let ledger = Ledger::new();
        std::fs::create_dir_all(folder).unwrap();
        ledger.write_files(folder);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.join("tls-ca.pem"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let client = format!(
            "nodes = [\"{address}\"]\nca = \"tls-ca.pem\"\ngenesis = \"genesis.cbor\"\nkey = \"user.pem\"\n"
        );
        std::fs::write(folder.join("client.toml"), client).unwrap();
        let ledger = Arc::new(Mutex::new(ledger));
        let (shared, acceptor) = (ledger.clone(), TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, ledger) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &ledger).await;
                    }
                });
            }
        });
        Self { ledger, _runtime: runtime }
    }
}

async fn serve(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, ledger: &Mutex<Ledger>) {
    let mut bytes = Vec::new();
    loop {
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            if !read_more(&mut stream, &mut bytes).await {
                return;
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok()).flatten()
        });
        let end = head + 4 + length.unwrap_or(0);
        while bytes.len() < end {
            if !read_more(&mut stream, &mut bytes).await {
                return;
            }
        }
        let body = bytes[head + 4..end].to_vec();
        bytes.drain(..end);
        let mut line = text.lines().next().unwrap().split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (status, answer) = answer(method, target, &body, &mut ledger.lock().unwrap());
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all(&[head.as_bytes(), &answer].concat()).await.is_err() {
            return;
        }
    }
}

async fn read_more(stream: &mut (impl AsyncReadExt + Unpin), bytes: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk).await {
        Ok(count @ 1..) => {
            bytes.extend_from_slice(&chunk[..count]);
            true
        }
        _ => false,
    }
}

fn answer(method: &str, target: &str, body: &[u8], ledger: &mut Ledger) -> (u16, Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    let found = match (method, parts.as_slice()) {
        ("POST", ["transactions"]) => return submit(body, ledger),
        ("GET", ["transactions", id]) => Some(transaction(id.parse().unwrap(), ledger)),
        ("GET", ["transactions", id, "proof"]) => {
            ledger.record_proof(&id.parse().unwrap()).map(|proof| cbor::to_bytes(&proof))
        }
        ("GET", ["certificates"]) => Some(list(ledger, query.get("subject").copied())),
        ("GET", ["certificates", id]) => Some(to_vec(&status(ledger, &id.parse().unwrap()))),
        ("GET", ["certificates", id, "der"]) => attachments(ledger).remove(&id.parse().unwrap()),
        ("GET", ["state", map, key]) => {
            let key = StateKey::new(map.parse().unwrap(), &hex::decode(key).unwrap());
            Some(cbor::to_bytes(&ledger.state_proof(key)))
        }
        ("GET", ["keys", id]) => Some(key(ledger, &id.parse().unwrap())),
        ("GET", ["ledger"]) => Some(glance(ledger)),
        ("GET", ["genesis"]) => Some(cbor::to_bytes(ledger.trust.genesis())),
        ("GET", ["blocks", height]) => block(ledger, height).map(|block| to_vec(&block_answer(&block))),
        ("GET", ["blocks", height, "bytes"]) => block(ledger, height).map(|block| cbor::to_bytes(&block)),
        // Only the newest block has signatures of its own, as in a network that was busy.
        ("GET", ["blocks", height, "finality"]) => block(ledger, height)
            .filter(|block| block.header == *ledger.replay.header())
            .map(|_| cbor::to_bytes(&ledger.finality())),
        ("GET", ["headers"]) => Some(headers(ledger, query["from"].parse().unwrap())),
        _ => None,
    };
    found.map_or_else(|| problem(404, "no-such-path", target, &[]), |found| (200, found))
}

fn to_vec(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn problem(status: u16, code: &str, detail: &str, entries: &[Value]) -> (u16, Vec<u8>) {
    let problem = json!({
        "type": format!("/problems/{code}"), "title": code, "status": status, "detail": detail, "code": code,
        "entries": entries,
    });
    (status, to_vec(&problem))
}

fn submit(body: &[u8], ledger: &mut Ledger) -> (u16, Vec<u8>) {
    let transaction = Transaction::from_bytes(body).unwrap();
    let id = transaction.id();
    match ledger.record(transaction) {
        Ok(height) => (200, to_vec(&json!({"id": id, "standing": "recorded", "height": height}))),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> (u16, Vec<u8>) {
    let told = |entry: &tabellion_pki::RefusedEntry| {
        json!({
            "index": entry.index, "certificate": entry.certificate, "code": entry.refusal.code(),
            "message": entry.refusal.to_string(),
        })
    };
    let entries: Vec<Value> = refusal.entries().iter().map(told).collect();
    problem(422, refusal.code(), &refusal.to_string(), &entries)
}

fn transaction(id: TransactionId, ledger: &Ledger) -> Vec<u8> {
    match ledger.replay.state().transaction_height(&id) {
        Some(height) => to_vec(&json!({"id": id, "standing": "recorded", "height": height})),
        None => to_vec(&json!({"id": id, "standing": "unknown"})),
    }
}

fn status(ledger: &Ledger, id: &CertificateId) -> StatusAnswer {
    let proof = ledger.status_proof(id);
    let record = certificate(ledger.replay.state(), id);
    let text = STANDARD.encode(cbor::to_bytes(&proof));
    let waits = scheduled(ledger.replay.state(), id).map(|publication| publication.validity.from.0);
    StatusAnswer::new(id.to_string(), record.as_ref(), waits, &proof.finality.header, text)
}

fn key(ledger: &Ledger, id: &KeyId) -> Vec<u8> {
    let proof = ledger.state_proof(certificates_of_key_key(id));
    let ids = certificates_of_key(ledger.replay.state(), id);
    to_vec(&KeyAnswer {
        key: id.to_string(),
        valid: None,
        certificates: ids.iter().rev().map(|id| status(ledger, id)).collect(),
        proof: STANDARD.encode(cbor::to_bytes(&proof)),
    })
}

fn attachments(ledger: &Ledger) -> BTreeMap<CertificateId, Vec<u8>> {
    let transactions = ledger.blocks.iter().flat_map(|block| block.transactions());
    let all = transactions.flat_map(|transaction| transaction.attachments().to_vec());
    all.map(|der| (CertificateId::of(&der), der)).collect()
}

fn list(ledger: &Ledger, subject: Option<&str>) -> Vec<u8> {
    let row = |(id, der): (CertificateId, Vec<u8>)| {
        let record = certificate(ledger.replay.state(), &id)?;
        let facts = Facts::of(&der).unwrap();
        let row = json!({
            "certificate": id, "key": facts.key, "subject": facts.subject.text(),
            "issuer": facts.issuer.text(),
            "serial": "01", "status": record.status, "valid_from_ms": record.validity.from,
            "valid_until_ms": record.validity.until, "height": record.published_height,
        });
        subject.is_none_or(|part| facts.subject.text().contains(part)).then_some(row)
    };
    let rows: Vec<Value> = attachments(ledger).into_iter().filter_map(row).collect();
    to_vec(&json!({"certificates": rows, "indexed_height": ledger.replay.header().height}))
}

fn glance(ledger: &Ledger) -> Vec<u8> {
    let header = ledger.replay.header();
    to_vec(&json!({
        "ledger": ledger.trust.ledger(), "name": "test", "kind": "full", "height": header.height,
        "time_ms": header.time, "validators": [], "quorum": 3,
        "transactions": ledger.blocks.len(), "trusted_cas": 1,
    }))
}

fn block(ledger: &Ledger, height: &str) -> Option<tabellion_ledger::Block> {
    match height {
        "latest" => ledger.blocks.last().cloned(),
        height => ledger.blocks.get(height.parse::<usize>().ok()?.checked_sub(1)?).cloned(),
    }
}

fn block_answer(block: &tabellion_ledger::Block) -> BlockAnswer {
    let lane = |body: &tabellion_ledger::LaneBody| LaneAnswer {
        lane: body.header.lane.to_string(),
        hash: body.header.hash().to_string(),
        records_root: body.header.records_root.to_string(),
        record_count: body.header.record_count,
        transactions: body.transactions.iter().map(|transaction| transaction.id().to_string()).collect(),
    };
    BlockAnswer {
        header: HeaderAnswer::from(&block.header),
        lanes: block.lanes.iter().map(lane).collect(),
        complete: true,
    }
}

fn headers(ledger: &Ledger, from: u64) -> Vec<u8> {
    let newest = ledger.replay.header().height;
    let wanted =
        ledger.blocks.iter().map(|block| &block.header).filter(|header| header.height >= Height(from));
    let headers: Vec<ChainHeader> = wanted
        .map(|header| match header.height == newest {
            true => ChainHeader::Final(ledger.finality()),
            false => ChainHeader::Linked(header.clone()),
        })
        .collect();
    let mut out = Writer::default();
    out.list(&headers);
    out.into_bytes()
}
