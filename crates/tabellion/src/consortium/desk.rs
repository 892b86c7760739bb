//! What the consortium's commands share: proved records, and signed actions.

use std::time::Duration;

use serde::Serialize;
use tabellion_client::{ProvedBy, RelyingParty, SigningKey};
use tabellion_consortium::{Action, KeyRecord, Node, NodeId, Nodes, node_key, nodes_key, parameters_key};
use tabellion_ledger::cbor::Wire;
use tabellion_ledger::{LedgerId, MemberId, StateKey};

use crate::context::Context;
use crate::failure::{Code, Failure};
use crate::moment::now;
use crate::output::Output;

/// How long to wait for a transaction to be recorded.
const WAIT: Duration = Duration::from_secs(60);
/// Pause before a node is asked again for a state that it does not show yet.
const PAUSE: Duration = Duration::from_millis(100);
/// Times that it is asked.
const TRIES: u32 = 100;

/// A command's view of the consortium.
pub struct Desk<'a> {
    pub context: &'a Context,
    pub output: Output,
    pub party: RelyingParty,
}

/// Whoever signs.
pub struct Me {
    pub key: SigningKey,
    pub record: KeyRecord,
}

/// Which of several nodes with one name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The one that votes.
    Validator,
    /// The one that does not.
    WithoutVote,
}

impl Sought {
    fn fits(self, node: &Node) -> bool {
        node.is_validator() == (self == Self::Validator)
    }
}

/// The node among these that joined to take another one's place.
pub fn successor<'a>(old: &Node, nodes: &'a [Node]) -> Option<&'a Node> {
    let fits = |node: &&Node| {
        node.id != old.id && node.name == old.name && node.member == old.member && !node.is_validator()
    };
    nodes.iter().filter(fits).max_by_key(|node| node.joined.height)
}

/// A recorded action, as JSON.
#[derive(Serialize)]
struct Done {
    recorded: &'static str,
    transaction: String,
    height: u64,
}

impl<'a> Desk<'a> {
    pub fn new(context: &'a Context, output: Output) -> Result<Self, Failure> {
        Ok(Self { context, output, party: context.relying_party()? })
    }

    pub fn ledger(&self) -> LedgerId {
        self.party.light().trust().ledger()
    }

    /// A record, proved; none where it is proved that there is none.
    pub async fn read<T: Wire>(&mut self, key: StateKey) -> Result<Option<T>, Failure> {
        Ok(self.read_with_proof(key).await?.0)
    }

    /// A record with those who stand for it.
    pub async fn read_with_proof<T: Wire>(
        &mut self,
        key: StateKey,
    ) -> Result<(Option<T>, ProvedBy), Failure> {
        Ok(self.party.record(&key, now()).await?)
    }

    /// A record that every ledger has, proved.
    pub async fn founded<T: Wire>(&mut self, key: StateKey) -> Result<T, Failure> {
        Ok(self.party.founded(key, now()).await?)
    }

    /// The key that signs, and whose it is.
    pub async fn me(&mut self) -> Result<Me, Failure> {
        let key = self.context.key()?;
        let record = self.party.owner(&key.id(), now()).await?;
        let unknown = || {
            let path = self.context.key_path().map(|path| path.display().to_string()).unwrap_or_default();
            let message = format!("{path}: the key {} stands not on this ledger", key.id());
            Failure::new(Code::Refused, message)
                .hint("sign with a member's key: --key FILE; `tabellion member list` shows the members")
        };
        let record = record.ok_or_else(unknown)?;
        Ok(Me { key, record })
    }

    /// The member named, or the one whose key signs.
    pub async fn member_or_me(&mut self, member: Option<MemberId>) -> Result<MemberId, Failure> {
        match member {
            Some(member) => Ok(member),
            None => Ok(self.me().await?.record.member),
        }
    }

    /// Signs and submits an action, waits until it is recorded and until the state shows it. Returns the
    /// block.
    pub async fn act(&mut self, action: &Action, key: &SigningKey, what: &str) -> Result<u64, Failure> {
        let governed = self.party.govern(action, key, now(), WAIT).await?;
        let Some(height) = governed.recorded.and_then(|answer| answer.height) else {
            let message = format!("transaction {} is not recorded yet", governed.transaction);
            return Err(Failure::new(Code::Error, message)
                .hint(format!("ask again: tabellion ledger tx {}", governed.transaction)));
        };
        self.until(height).await?;
        self.output.line(format!("recorded  {what} in block {height}"));
        self.output.value(&Done {
            recorded: action.kind().name(),
            transaction: governed.transaction.to_string(),
            height,
        });
        Ok(height)
    }

    /// Waits until the node proves a state that is not older than a block.
    async fn until(&mut self, height: u64) -> Result<(), Failure> {
        for _ in 0..TRIES {
            match self.party.state_proof(&parameters_key(), now()).await {
                Ok(proof) if proof.finality.header.height.0 >= height => return Ok(()),
                Ok(_) => {}
                Err(error) => self.output.say(Failure::from(error).message),
            }
            tokio::time::sleep(PAUSE).await;
        }
        let message = format!("recorded in block {height}, but the node proves no state that new");
        Err(Failure::new(Code::Error, message).hint("ask another --node"))
    }

    /// All nodes on record, proved.
    pub async fn nodes(&mut self) -> Result<Vec<Node>, Failure> {
        let list: Option<Nodes> = self.read(nodes_key()).await?;
        let mut nodes = Vec::new();
        for (id, _) in list.unwrap_or_default().0 {
            nodes.extend(self.read::<Node>(node_key(&id)).await?);
        }
        Ok(nodes)
    }

    /// The node that a name or an identifier means. Where two have one name, because one takes the other's
    /// place, `sought` tells them apart.
    pub async fn find_node(&mut self, text: &str, sought: Sought) -> Result<Node, Failure> {
        if let Ok(id) = text.to_lowercase().parse::<NodeId>() {
            let node: Option<Node> = self.read(node_key(&id)).await?;
            let none = || Failure::new(Code::Usage, format!("no node of the ledger has the identifier {id}"));
            return node.ok_or_else(|| none().hint("`tabellion node list` shows them"));
        }
        let mut named = self.nodes().await?;
        named.retain(|node| node.name == text);
        if named.len() > 1 && named.iter().any(|node| sought.fits(node)) {
            named.retain(|node| sought.fits(node));
        }
        match (named.len(), named.pop()) {
            (1, Some(node)) => Ok(node),
            (0, _) => Err(Failure::new(Code::Usage, format!("no node on the ledger is named '{text}'"))
                .hint("`tabellion node list` shows them")),
            (count, _) => Err(Failure::new(Code::Usage, format!("{count} nodes are named '{text}'"))
                .hint("give the identifier: `tabellion node list` shows it")),
        }
    }

    /// The node that joined to take another one's place: of the same member, under the same name, the latest.
    pub async fn successor(&mut self, old: &Node) -> Result<Node, Failure> {
        let nodes = self.nodes().await?;
        successor(old, &nodes).cloned().ok_or_else(|| {
            let message = format!("no node of {} joined to take the place of {}", old.member, old.name);
            Failure::new(Code::Usage, message).hint(format!(
                "`tabellion node replace {} --out FILE` invites one; or name another with --by NODE",
                old.name
            ))
        })
    }

    /// Writes the memory of headers.
    pub fn close(self) {
        self.context.remember(&self.party);
    }
}

/// Names in one line.
pub fn words<T: ToString>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
