//! The OpenAPI document, made from the handlers that serve.

use std::sync::OnceLock;

use bytes::Bytes;
use utoipa::OpenApi;

use crate::{
    certificates, chain, changes, composed, consortium, events, history, node, snapshots, transactions,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tabellion",
        description = "Security services on a shared permissioned ledger (ITU-T X.1409). Identifiers and \
                       hashes are 64 hexadecimal digits, times are milliseconds since 1970, proofs are CBOR \
                       (docs/format.md). Every error and refusal is a problem document (RFC 9457) with a \
                       stable code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Certificates", description = "Publish, verify, look up"),
        (name = "Transactions", description = "Submit, follow, prove"),
        (name = "Chain", description = "Blocks, headers, genesis"),
        (name = "Consortium", description = "Members, nodes, proposals, parameters. Read here; changed by \
                                             signed transactions: POST /v1/transactions"),
        (name = "Composed systems", description = "Results for other ledgers, and what is known of theirs"),
        (name = "Events", description = "What is new"),
        (name = "Node", description = "Health and metrics"),
    ),
    paths(
        certificates::publish, certificates::list, certificates::verify, certificates::status,
        certificates::proof, history::history, certificates::der, certificates::pem, certificates::key,
        changes::change,
        transactions::submit, transactions::transaction, transactions::bytes, transactions::proof,
        chain::ledger, chain::genesis, chain::block, chain::bytes, chain::finality, chain::headers,
        chain::hand_overs, snapshots::snapshots, snapshots::piece, snapshots::outlines,
        consortium::state, consortium::members, consortium::member, consortium::nodes, consortium::node,
        consortium::proposals, consortium::proposal, consortium::try_change, consortium::current_parameters,
        consortium::permissions,
        composed::outbox, composed::ledgers, composed::status,
        events::events, node::health, node::ready, node::metrics,
    ),
    components(schemas(tabellion_machine::BlockEventAnswer)),
)]
struct Api;

/// The OpenAPI document as JSON on several lines, with a line feed at its end.
pub fn openapi_json() -> String {
    let text = Api::openapi().to_pretty_json();
    text.expect("invariant: the document is made of text keys and plain values") + "\n"
}

/// The document, made once.
pub(crate) fn document() -> Bytes {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    DOCUMENT.get_or_init(|| Bytes::from(openapi_json())).clone()
}
