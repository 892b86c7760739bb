//! The stream of what is new: Server-Sent Events (HTML Living Standard, section 9.2).

use reqwest::Response;
use tabellion_ledger::Height;

use crate::node::{NodeClient, NodeError};

/// Bytes of one event: a block's worth of notices.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One event as the node sent it. It carries no proof: ask for the status of what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its kind.
    pub kind: String,
    /// Its identifier, with which a stream is resumed.
    pub id: String,
    /// Its content, JSON.
    pub data: String,
}

/// A stream of events.
pub struct EventStream {
    response: Response,
    node: String,
    parser: Parser,
}

impl NodeClient {
    /// Listens to what happens, from the block at `from` on where it is given. Ends when the node ends it;
    /// ask again with the height after the last one seen.
    pub async fn events(&self, from: Option<Height>) -> Result<EventStream, NodeError> {
        let query: Vec<_> = from.iter().map(|height| ("from", height.to_string())).collect();
        let response = self.open_stream("/v1/events", &query).await?;
        Ok(EventStream { response, node: self.node(), parser: Parser::default() })
    }
}

impl EventStream {
    /// The next event; `None` when the node ends the stream.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, NodeError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let chunk = self.response.chunk().await;
            let node = || self.node.clone();
            let chunk =
                chunk.map_err(|error| NodeError::Unreachable { node: node(), reason: error.to_string() })?;
            let Some(chunk) = chunk else { return Ok(None) };
            if self.parser.push(&chunk).is_err() {
                let (path, reason) = ("/v1/events".to_owned(), "an event without end".to_owned());
                return Err(NodeError::Answer { node: node(), path, reason });
            }
        }
    }
}

/// Cuts a stream of bytes into events.
#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
}

struct TooLong;

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        // A line may end with CR LF; what counts is LF.
        self.buffer.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        if self.buffer.len() > EVENT_BYTES_MAX { Err(TooLong) } else { Ok(()) }
    }

    fn next(&mut self) -> Option<ServerEvent> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let event = parse(&String::from_utf8_lossy(&block));
            if !event.data.is_empty() {
                return Some(event);
            }
        }
    }
}

fn parse(block: &str) -> ServerEvent {
    let mut event = ServerEvent::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event.kind = value.to_owned(),
            "id" => event.id = value.to_owned(),
            "data" if event.data.is_empty() => event.data = value.to_owned(),
            "data" => event.data = [&event.data, "\n", value].concat(),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_stream_is_cut() {
        let stream = b": hello\n\nevent: block\r\nid: 7\r\ndata: {\"a\":\ndata: 1}\n\nevent: x\ndata: 2\n\n";
        for cut in 0..stream.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                assert!(parser.push(part).is_ok());
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            let expected = [
                ServerEvent { kind: "block".into(), id: "7".into(), data: "{\"a\":\n1}".into() },
                ServerEvent { kind: "x".into(), id: String::new(), data: "2".into() },
            ];
            assert_eq!(events, expected, "cut at {cut}");
        }
    }
}
