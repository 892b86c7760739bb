//! Looks peers up on the ledger, and remembers them for a while.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use tabellion_pki::{Facts, Reason, Standing};

use crate::error::ClientError;
use crate::peer::refusal::PeerRefusal;
use crate::relying_party::RelyingParty;
use crate::trust::ProvedStatus;

/// Peers that are remembered, unless it is said otherwise.
const PEERS_KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is above zero");

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// An answer that is younger is used without asking again. Unit: ms.
    pub fresh_ms: u64,
    /// While no node answers, `valid` is believed for so long after the moment that the proof speaks of.
    /// What is worse than `valid` is believed for good. Unit: ms.
    pub usable_ms: u64,
    /// How long a handshake waits for nodes. Unit: ms.
    pub wait_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { fresh_ms: 60_000, usable_ms: 15 * 60_000, wait_ms: 5_000 }
    }
}

/// What is asked of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// A bare public key: SHA-256 of its SubjectPublicKeyInfo.
    Key(KeyId),
    /// A certificate: SHA-256 of its DER.
    Certificate(CertificateId),
}

/// A peer whose certificate is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The certificate that speaks for it: of those of its key, the newest valid one.
    pub certificate: CertificateId,
    /// That certificate's DER, where a node gave it.
    pub der: Option<Arc<[u8]>>,
    /// The status, as a quorum stands for it.
    pub status: ProvedStatus,
}

/// What the ledger said to a question.
#[derive(Clone, Debug)]
struct Answer {
    /// Newest first.
    statuses: Vec<ProvedStatus>,
    /// Certificates that nodes gave, by their identifiers.
    certificate: Option<(CertificateId, Arc<[u8]>)>,
    /// When it was asked.
    asked: TimeMs,
    /// The header's time of the oldest proof in it.
    proved: TimeMs,
}

struct Asked {
    question: Question,
    now: TimeMs,
    reply: SyncSender<Result<Answer, String>>,
}

type Cache = Arc<Mutex<BTreeMap<Question, Answer>>>;

/// Looks peers up on the ledger. Clones share the thread that asks, and what is remembered.
///
/// A question that memory does not answer blocks the calling thread until a node has answered, for
/// [`Patience::wait_ms`] at most: a milliseconds' matter where a node is near, as TLS libraries expect it of
/// whoever verifies a certificate.
#[derive(Clone)]
pub struct PeerResolver {
    patience: Patience,
    cache: Cache,
    ask: Sender<Asked>,
}

impl PeerResolver {
    /// Starts the thread that asks; it ends with the last clone.
    ///
    /// Errors: the system gives no thread.
    pub fn start(party: RelyingParty, patience: Patience) -> std::io::Result<Self> {
        let cache = Cache::default();
        let (ask, asked) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let kept = cache.clone();
        let worker = move || serve(&runtime, party, &asked, &kept, patience);
        std::thread::Builder::new().name("peers".to_owned()).spawn(worker)?;
        Ok(Self { patience, cache, ask })
    }

    /// The peer behind a key or a certificate, where it may be relied on at this moment.
    pub fn peer(&self, question: Question, now: TimeMs) -> Result<Peer, PeerRefusal> {
        let known = locked(&self.cache).get(&question).cloned();
        if let Some(answer) = known.as_ref().filter(|answer| answer.is_fresh(now, &self.patience)) {
            return answer.judge(&question, now);
        }
        match (self.question_nodes(question, now), known) {
            (Ok(answer), _) => answer.judge(&question, now),
            (Err(reason), None) => Err(PeerRefusal::Unreachable { reason }),
            (Err(reason), Some(old)) => {
                let peer = old.judge(&question, now)?;
                let age_ms = now.0.saturating_sub(old.proved.0);
                match age_ms <= self.patience.usable_ms {
                    true => Ok(peer),
                    false => Err(PeerRefusal::Unreachable {
                        reason: format!("{reason}; what is known is {} s old", age_ms / 1000),
                    }),
                }
            }
        }
    }

    /// The peer behind a key or a certificate as memory has it, without asking: after a handshake, whom it
    /// was with.
    pub fn remembered(&self, question: &Question, now: TimeMs) -> Option<Peer> {
        locked(&self.cache).get(question)?.judge(question, now).ok()
    }

    fn question_nodes(&self, question: Question, now: TimeMs) -> Result<Answer, String> {
        let (reply, answer) = sync_channel(1);
        let gone = || "the thread that asks has ended".to_owned();
        self.ask.send(Asked { question, now, reply }).map_err(|_| gone())?;
        match answer.recv_timeout(Duration::from_millis(self.patience.wait_ms)) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("no node has answered within {} ms", self.patience.wait_ms))
            }
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl Answer {
    fn is_fresh(&self, now: TimeMs, patience: &Patience) -> bool {
        now.0.saturating_sub(self.asked.0) < patience.fresh_ms
    }

    fn judge(&self, question: &Question, now: TimeMs) -> Result<Peer, PeerRefusal> {
        if let Question::Key(key) = question
            && let Some(refusal) = self.statuses.iter().find_map(|status| compromised(*key, status))
        {
            return Err(refusal);
        }
        let valid = self.statuses.iter().find(|status| status.standing(Some(now)) == Standing::Valid);
        match (valid, self.statuses.first(), question) {
            (Some(status), _, _) => {
                let der = self.certificate.as_ref().filter(|(id, _)| *id == status.certificate);
                let der = der.map(|(_, der)| der.clone());
                Ok(Peer { certificate: status.certificate, der, status: status.clone() })
            }
            (None, Some(newest), _) => Err(PeerRefusal::NotValid {
                certificate: newest.certificate,
                standing: newest.standing(Some(now)),
            }),
            (None, None, Question::Key(key)) => Err(PeerRefusal::UnknownKey { key: *key }),
            (None, None, Question::Certificate(certificate)) => {
                Err(PeerRefusal::NotValid { certificate: *certificate, standing: Standing::Unknown })
            }
        }
    }
}

/// A revocation that concerns the key itself: whoever else holds it could show any other certificate of it.
fn compromised(key: KeyId, status: &ProvedStatus) -> Option<PeerRefusal> {
    let reason = status.record.as_ref()?.reason?;
    let concerns_key = matches!(reason, Reason::KeyCompromise | Reason::CaCompromise | Reason::AaCompromise);
    concerns_key.then_some(PeerRefusal::Compromised { key, certificate: status.certificate, reason })
}

/// The thread that asks. Questions that were answered while they waited are not asked again.
fn serve(
    runtime: &tokio::runtime::Runtime,
    mut party: RelyingParty,
    asked: &Receiver<Asked>,
    cache: &Cache,
    patience: Patience,
) {
    while let Ok(Asked { question, now, reply }) = asked.recv() {
        let known = locked(cache).get(&question).cloned();
        if let Some(answer) = known.filter(|answer| answer.is_fresh(now, &patience)) {
            let _ = reply.send(Ok(answer));
            continue;
        }
        let answer = runtime.block_on(ask(&mut party, question, now));
        if let Ok(answer) = &answer {
            keep(&mut locked(cache), question, answer.clone());
        }
        // Whoever asked may have gone on without an answer; the next one finds it in memory.
        let _ = reply.send(answer.map_err(|error| in_full(&error)));
    }
}

async fn ask(party: &mut RelyingParty, question: Question, now: TimeMs) -> Result<Answer, ClientError> {
    let (mut statuses, mut proved) = (Vec::new(), now);
    match question {
        Question::Key(key) => {
            let (by_key, found) = party.key(&key, now).await?;
            proved = proved.min(by_key.by.header.time);
            statuses.extend(found.into_iter().map(|found| found.status));
        }
        Question::Certificate(id) => {
            let status = party.status(&id, now).await?.status;
            proved = proved.min(status.by.header.time);
            statuses.extend(status.record.is_some().then_some(status));
        }
    }
    let oldest = statuses.iter().map(|status| status.by.header.time).min();
    let proved = oldest.map_or(proved, |oldest| oldest.min(proved));
    let valid = statuses.iter().find(|status| status.standing(Some(now)) == Standing::Valid);
    let certificate = match valid {
        Some(status) => certificate_of(party, status).await?,
        None => None,
    };
    Ok(Answer { statuses, certificate, asked: now, proved })
}

/// The certificate itself, hashed again; `None` where no node gives it.
async fn certificate_of(
    party: &RelyingParty,
    status: &ProvedStatus,
) -> Result<Option<(CertificateId, Arc<[u8]>)>, ClientError> {
    let id = status.certificate;
    match party.nodes().certificate_der(&id).await {
        Ok(der) => {
            let key = status.record.as_ref().map(|record| record.key);
            let same = CertificateId::of(&der) == id && Facts::of(&der).ok().map(|facts| facts.key) == key;
            Ok(same.then(|| (id, der.into())))
        }
        Err(error) if error.problem().is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Remembers an answer; the oldest one goes where there are too many.
fn keep(cache: &mut BTreeMap<Question, Answer>, question: Question, answer: Answer) {
    if cache.len() >= PEERS_KEPT.get() && !cache.contains_key(&question) {
        let oldest = cache.iter().min_by_key(|(_, answer)| answer.asked).map(|(question, _)| *question);
        oldest.map(|oldest| cache.remove(&oldest));
    }
    cache.insert(question, answer);
}

fn in_full(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
