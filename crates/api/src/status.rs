//! One table from every code to its HTTP status, its words and what to do next.

use axum::http::StatusCode;

/// What is told of a code besides the facts of the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// The stable code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// The kind of problem in words.
    pub title: &'static str,
    /// What to do next.
    pub hint: Option<&'static str>,
}

const NEXT_STATEMENT: &str = "GET /v1/certificates/<id> says the sequence; a statement is for the next one, \
                             and for record 1 where the certificate waits for its start";

/// The row of `code`; a code without one is told as an unprocessable request.
pub fn problem_kind(code: &str) -> ProblemKind {
    let row = PROBLEM_KINDS.iter().find(|kind| kind.code == code);
    row.copied().unwrap_or(ProblemKind {
        code: "refused",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: "The request is refused",
        hint: None,
    })
}

const fn row(code: &'static str, status: StatusCode, title: &'static str) -> ProblemKind {
    ProblemKind { code, status, title, hint: None }
}

impl ProblemKind {
    const fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;

/// Every code that a face can answer with: its own, and those of every refusal.
pub const PROBLEM_KINDS: &[ProblemKind] = &[
    // Requests to the face itself.
    row("malformed-request", BAD_REQUEST, "The request cannot be read"),
    row("malformed-query", BAD_REQUEST, "The query cannot be read")
        .hint("GET /openapi.json describes every parameter"),
    row("malformed-identifier", BAD_REQUEST, "Not an identifier")
        .hint("for a certificate: openssl x509 -in cert.pem -noout -fingerprint -sha256"),
    row("malformed-json", BAD_REQUEST, "The JSON body cannot be read")
        .hint("GET /openapi.json describes every body"),
    row("malformed-pem", BAD_REQUEST, "No certificate in the body")
        .hint("send certificates as PEM: curl --data-binary @chain.pem"),
    row("malformed-certificate", BAD_REQUEST, "A certificate cannot be read")
        .hint("send X.509 certificates as PEM, or one as DER"),
    row("chain-incomplete", UNPROCESSABLE, "The chain does not reach a trusted CA")
        .hint("send the intermediate certificates behind the certificate"),
    row("too-many-certificates", UNPROCESSABLE, "Too many certificates in one request"),
    row("no-such-path", NOT_FOUND, "Nothing is here").hint("GET / lists what there is"),
    row("no-such-transaction", NOT_FOUND, "The transaction is unknown here")
        .hint("it may be on its way: ask again with ?wait=recorded"),
    row("no-such-block", NOT_FOUND, "There is no such block yet").hint("GET /v1/blocks/latest"),
    row("no-such-snapshot", NOT_FOUND, "This node does not hold that state")
        .hint("GET /v1/snapshots lists those that it holds"),
    row("no-finality", NOT_FOUND, "This block has no signatures of its own")
        .hint("a later block makes it final: GET /v1/headers?from=<height>"),
    row("certificate-not-held", NOT_FOUND, "This node does not hold the certificate").hint(
        "the status, with its proof, is at /v1/certificates/<id>; a backup node holds all certificates",
    ),
    row("no-crl", NOT_FOUND, "This node has no CRL of that CA"),
    row("no-ct-log", NOT_FOUND, "This ledger is no log of certificates"),
    row("no-such-leaf", NOT_FOUND, "No such leaf in that tree"),
    row("body-not-held", NOT_FOUND, "This node no longer holds the body")
        .hint("ask a node that keeps all bodies: a backup node, or one without [prune] in its node.toml"),
    row("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This path knows another method")
        .hint("the Allow header of this answer says which"),
    row("events-gone", StatusCode::GONE, "Those events are no longer kept")
        .hint("begin again without Last-Event-ID, and read the state"),
    row("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
    row("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "This media type is not taken here")
        .hint("GET /openapi.json says which types each path takes"),
    row("body-too-slow", StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive"),
    row("rate-limited", TOO_MANY, "Too many requests from this client")
        .hint("wait for the seconds that Retry-After says"),
    row("overloaded", TOO_MANY, "The node has too much to do")
        .hint("wait for the seconds that Retry-After says, or ask another node"),
    row("internal", StatusCode::INTERNAL_SERVER_ERROR, "The node failed")
        .hint("the node's log says why; another node may answer"),
    row("no-gateway", StatusCode::NOT_IMPLEMENTED, "This node does not sign for others")
        .hint("sign the transaction yourself: tabellion cert publish"),
    row("no-index", StatusCode::NOT_IMPLEMENTED, "This node keeps no query index")
        .hint("ask a node that does"),
    row("follows-only", StatusCode::MISDIRECTED_REQUEST, "This node takes no transactions")
        .hint("submit to a node of the ledger itself: --node names one"),
    row("knowledge-too-old", StatusCode::SERVICE_UNAVAILABLE, "What is known here is too old").hint(
        "an edge node lost touch with the ledger: GET /v1/node/health says since when; ask another node",
    ),
    row("ct-read-only", FORBIDDEN, "Certificates are not taken here")
        .hint("POST /ct/v1/add-chain under the REST face, or: tabellion cert publish"),
    row("ct-incomplete", StatusCode::SERVICE_UNAVAILABLE, "This node does not know every certificate")
        .hint("ask a node that has kept all bodies; [peers] in node.toml lets this one fetch them"),
    row("draining", StatusCode::SERVICE_UNAVAILABLE, "The node is being taken out of service")
        .hint("ask another node; this one comes back after its maintenance"),
    row("stopping", StatusCode::SERVICE_UNAVAILABLE, "The node is stopping").hint("ask another node"),
    row("not-ready", StatusCode::SERVICE_UNAVAILABLE, "The node is not ready")
        .hint("it catches up; try again soon"),
    row("timed-out", StatusCode::GATEWAY_TIMEOUT, "The node took too long"),
    // Refusals of transactions.
    row("malformed-transaction", BAD_REQUEST, "The transaction cannot be read")
        .hint("docs/format.md describes every byte; only one encoding is accepted"),
    row("foreign-ledger", UNPROCESSABLE, "Made for another ledger")
        .hint("GET /v1/ledger says which ledger this is"),
    row("lane-not-served", UNPROCESSABLE, "No service takes this transaction"),
    row("signature-refused", FORBIDDEN, "The signature does not hold"),
    row("attachments-missing", BAD_REQUEST, "Attachments of the transaction are missing"),
    row("transaction-expired", UNPROCESSABLE, "The transaction's time is over")
        .hint("sign it again, and look at the clock"),
    row("lifetime-too-long", UNPROCESSABLE, "The transaction would live too long")
        .hint("sign it with an earlier end"),
    row("replayed", CONFLICT, "The transaction is recorded already")
        .hint("GET /v1/transactions/<id> says where"),
    // Refusals by the consortium's rules.
    row("unknown-submitter", FORBIDDEN, "No member signs with this key")
        .hint("a key must stand on the ledger: `tabellion member list` shows the members"),
    row("key-retired", FORBIDDEN, "The key was retired").hint("sign with the member's present key"),
    row("member-not-active", FORBIDDEN, "The member is suspended or removed"),
    row("account-closed", FORBIDDEN, "The account was closed"),
    row("algorithm-not-accepted", UNPROCESSABLE, "The signature algorithm is not accepted"),
    row("missing-role", FORBIDDEN, "The member has no role that allows this")
        .hint("a role is granted by vote: `tabellion propose grant-role`"),
    row("wrong-kind-of-node", FORBIDDEN, "This kind of node does not do that")
        .hint("docs/permissions.md says which node may do what"),
    row("notice-names-no-block", UNPROCESSABLE, "The notice names no block"),
    row("notice-not-ascending", UNPROCESSABLE, "The notice's blocks are out of order"),
    row("notice-not-yet", UNPROCESSABLE, "The notice names a block that is not there yet"),
    row("notice-on-full-ledger", UNPROCESSABLE, "A ledger of complete certificates needs no notice")
        .hint("its nodes delete by themselves: [prune] in node.toml"),
    row("wrong-kind-of-key", FORBIDDEN, "This kind of key does not do that")
        .hint("docs/permissions.md says which key may do what"),
    row("quota-exceeded", UNPROCESSABLE, "The member's quota is used up")
        .hint("wait for the next window; a quota is changed by vote"),
    row("stopped", UNPROCESSABLE, "The members have stopped the ledger")
        .hint("only the consortium lane goes on until they resume it"),
    row("unusable-key", UNPROCESSABLE, "The key cannot serve"),
    row("possession-not-shown", FORBIDDEN, "Nobody showed to hold the key"),
    row("key-taken", CONFLICT, "The key stands on the ledger already")
        .hint("make a new key; a retired one does not come back"),
    row("too-many-keys", UNPROCESSABLE, "Two keys are valid at once at most")
        .hint("retire the old one first"),
    row("not-a-key", UNPROCESSABLE, "Not a valid key of this owner"),
    row("last-key", UNPROCESSABLE, "The last key cannot be retired").hint("add the next key first"),
    row("unknown-account", NOT_FOUND, "There is no such account"),
    row("account-exists", CONFLICT, "The account exists already"),
    row("too-many-accounts", UNPROCESSABLE, "The member has too many accounts"),
    row("unknown-member", NOT_FOUND, "There is no such member"),
    row("member-exists", CONFLICT, "The member exists already"),
    row("member-not-suspended", UNPROCESSABLE, "The member is not suspended"),
    row("last-member", UNPROCESSABLE, "The last active member stays"),
    row("too-many-members", UNPROCESSABLE, "The ledger has too many members"),
    row("member-has-validators", UNPROCESSABLE, "The member runs validators")
        .hint("remove or replace its validators first"),
    row("role-held", CONFLICT, "The role is held already"),
    row("role-not-held", UNPROCESSABLE, "The role is not held"),
    row("unknown-proposal", NOT_FOUND, "There is no such proposal"),
    row("proposal-closed", CONFLICT, "The proposal is decided"),
    row("voting-over", UNPROCESSABLE, "The time to vote is over"),
    row("voted-already", CONFLICT, "The member has voted already"),
    row("proposal-differs", CONFLICT, "The vote is for another text of the proposal")
        .hint("look at the proposal again"),
    row("not-proposer", FORBIDDEN, "Another member made the proposal"),
    row("deadline-out-of-bounds", UNPROCESSABLE, "The deadline is too near or too far"),
    row("effect-too-far", UNPROCESSABLE, "The effect lies too far ahead"),
    row("too-many-proposals", UNPROCESSABLE, "The member has too many open proposals"),
    row("not-cancellable", UNPROCESSABLE, "The proposal cannot be cancelled"),
    row("nothing-changes", UNPROCESSABLE, "The proposal changes nothing"),
    row("parameter-refused", UNPROCESSABLE, "A parameter is out of bounds"),
    row("rules-not-followable", UNPROCESSABLE, "Path validation cannot follow the rules"),
    row("version-not-newer", UNPROCESSABLE, "The version is not newer"),
    row("member-without-key", UNPROCESSABLE, "A member needs a key"),
    row("trusted-already", CONFLICT, "The CA is trusted already"),
    row("not-trusted", UNPROCESSABLE, "The CA is not trusted"),
    row("too-many-trusted-cas", UNPROCESSABLE, "Too many trusted CAs"),
    row("unknown-node", NOT_FOUND, "There is no such node"),
    row("not-your-node", FORBIDDEN, "Another member runs the node"),
    row("node-is-validator", UNPROCESSABLE, "The node is a validator")
        .hint("a validator leaves by vote: `tabellion propose remove-validator`"),
    row("validator-by-vote", UNPROCESSABLE, "A node becomes a validator by vote alone")
        .hint("invite it as a full node; then `tabellion propose add-validator`"),
    row("too-many-nodes", UNPROCESSABLE, "Too many nodes"),
    row("rotation-waits", CONFLICT, "The node's next key waits for the epoch's end"),
    row("unknown-invitation", NOT_FOUND, "There is no such invitation"),
    row("invitation-used", CONFLICT, "The invitation was used")
        .hint("ask for another: `tabellion node invite`"),
    row("invitation-cancelled", UNPROCESSABLE, "The invitation was taken back"),
    row("invitation-expired", UNPROCESSABLE, "The invitation's time is over")
        .hint("ask for another: `tabellion node invite`"),
    row("invitation-out-of-bounds", UNPROCESSABLE, "The invitation's end is too near or too far"),
    row("too-many-invitations", UNPROCESSABLE, "Too many open invitations"),
    row("no-boundary", UNPROCESSABLE, "The first epoch is not over"),
    row("boundary-differs", UNPROCESSABLE, "The node reports another block"),
    row("reported-already", CONFLICT, "The node has reported in this epoch"),
    row("validator-already", CONFLICT, "The node is a validator already"),
    row("not-a-validator", UNPROCESSABLE, "The node is no validator"),
    row("not-a-full-node", UNPROCESSABLE, "Only a full node becomes a validator"),
    row("on-probation", UNPROCESSABLE, "The node is on probation")
        .hint("it reports by itself while it follows; wait for the epochs that the parameters ask for"),
    row("too-few-validators", UNPROCESSABLE, "Too few validators would be left"),
    row("too-many-validators", UNPROCESSABLE, "Too many validators"),
    row("organisation-third", UNPROCESSABLE, "One organisation would hold a third of the validators"),
    row("too-many-pending", UNPROCESSABLE, "Too many changes wait for the epoch's end"),
    row("own-ledger", UNPROCESSABLE, "A ledger does not follow itself"),
    row("linked-already", CONFLICT, "The ledger is followed already")
        .hint("to let following begin anew: `tabellion propose follow-anew`"),
    row("not-linked", UNPROCESSABLE, "The ledger is not followed"),
    row("too-many-links", UNPROCESSABLE, "Too many ledgers are followed"),
    row("staleness-out-of-bounds", UNPROCESSABLE, "The bound of staleness is too small or too large"),
    row("stopped-already", CONFLICT, "The ledger is stopped already"),
    row("not-stopped", UNPROCESSABLE, "The ledger is not stopped"),
    row("evidence-refused", UNPROCESSABLE, "The evidence shows nothing"),
    row("not-a-node-key", UNPROCESSABLE, "The key is not a node's"),
    row("evidence-known", CONFLICT, "The evidence is on the ledger already"),
    // Refusals of a whole request to the certificate lane.
    row("malformed-action", BAD_REQUEST, "The action cannot be read"),
    row("empty-request", UNPROCESSABLE, "The request names no certificate"),
    row("unused-attachment", UNPROCESSABLE, "An attachment belongs to no entry"),
    row("attachment-twice", UNPROCESSABLE, "An attachment is there twice"),
    row("refused-entries", UNPROCESSABLE, "Entries are refused"),
    // Refusals of one certificate's entry.
    row("not-attached", UNPROCESSABLE, "A certificate is named but not attached"),
    row("status-not-normal", UNPROCESSABLE, "The first status is normal"),
    row("key-differs", UNPROCESSABLE, "The request names another key than the certificate's"),
    row("validity-differs", UNPROCESSABLE, "The request names another validity than the certificate's"),
    row("no-validity", UNPROCESSABLE, "Nothing is left of the validity"),
    row("validity-over", UNPROCESSABLE, "The validity is over"),
    row("too-far-ahead", UNPROCESSABLE, "The validity starts too far ahead"),
    row("untrusted-root", UNPROCESSABLE, "The root is not a trusted CA of this ledger"),
    row("already-recorded", CONFLICT, "The certificate is recorded already")
        .hint("GET /v1/certificates/<id>"),
    row("already-scheduled", CONFLICT, "The publication is scheduled already")
        .hint("GET /v1/certificates/<id>"),
    row("too-many-for-key", UNPROCESSABLE, "The key has too many certificates"),
    row("schedule-full", UNPROCESSABLE, "Too many publications start within that hour")
        .hint("ask for another start"),
    // Refusals of what proxies bring.
    row("foreign-hand-over", UNPROCESSABLE, "The foreign validators did not hand over like this"),
    row("foreign-header", UNPROCESSABLE, "The foreign header is not final"),
    row("foreign-proof", UNPROCESSABLE, "The foreign ledger does not say this"),
    row("no-foreign-result", UNPROCESSABLE, "The foreign ledger has no such result"),
    row("ledger-not-followed", UNPROCESSABLE, "The members do not follow the ledger")
        .hint("it is followed by vote: `tabellion propose follow-ledger`"),
    row("link-frozen", CONFLICT, "The link is frozen: two foreign headers at one height")
        .hint("the members decide whom to follow: `tabellion propose follow-anew`"),
    row("foreign-roster", CONFLICT, "The relay begins with other validators than the known ones")
        .hint("read what is known, and relay from there"),
    row("foreign-header-not-linked", CONFLICT, "The foreign header does not lead back to the known one")
        .hint("read what is known, and relay from there"),
    row("foreign-gap", CONFLICT, "Results are missing in between")
        .hint("read what is known, and relay from there"),
    row("nothing-new", CONFLICT, "All of it is recorded already").hint("another proxy was faster"),
    // Refusals of status changes and renewals.
    row("evidence-not-attached", UNPROCESSABLE, "The CA's feedback is not attached"),
    row("not-issuer", UNPROCESSABLE, "The attached CA did not issue the certificate"),
    row("end-differs", UNPROCESSABLE, "The request says another end than the certificate"),
    row("status-differs", UNPROCESSABLE, "The CA's feedback gives another status")
        .hint("ask for what the CA says, or ask the CA"),
    row("evidence-differs", UNPROCESSABLE, "The request says other things of the feedback than it holds"),
    row("not-recorded", NOT_FOUND, "The certificate is not recorded"),
    row("not-started", CONFLICT, "The certificate waits for its start: there is nothing to resume or renew")
        .hint("GET /v1/certificates/<id> says when; until then it can be revoked and suspended"),
    row("issuer-differs", UNPROCESSABLE, "The recorded chain names another issuer")
        .hint("GET /v1/certificates/<id> says which"),
    row("revoked-for-good", CONFLICT, "The certificate is revoked, for good"),
    row("unchanged", CONFLICT, "The certificate has that status already"),
    row("signer-not-normal", UNPROCESSABLE, "The signer's own certificate is suspended or revoked"),
    row("evidence-too-early", UNPROCESSABLE, "The CA's feedback speaks of the future")
        .hint("try again soon, or look at the CA's clock"),
    row("evidence-over", UNPROCESSABLE, "The CA's feedback may not be used any longer")
        .hint("get a new one from the CA"),
    row("evidence-too-old", UNPROCESSABLE, "The CA's feedback is too old").hint("get a new one from the CA"),
    row("evidence-not-newer", CONFLICT, "Newer feedback was used before").hint("get a new one from the CA"),
    row("crl-number-not-higher", CONFLICT, "A CRL with this number or a higher one was used before")
        .hint("get a new one from the CA"),
    row("statement-sequence", CONFLICT, "The statement is for another place in the certificate's history")
        .hint(NEXT_STATEMENT),
    row("renewal-name-differs", UNPROCESSABLE, "A renewal keeps the distinguished name")
        .hint("publish the new certificate, and revoke the old one"),
    row("renewal-without-name", UNPROCESSABLE, "A certificate without subject cannot be renewed")
        .hint("publish the new certificate, and revoke the old one"),
    row("renewal-not-normal", CONFLICT, "The certificate to be renewed is not in good standing"),
    row("renewal-over", UNPROCESSABLE, "The certificate to be renewed has expired")
        .hint("publish the new certificate"),
    row("renewal-too-early", UNPROCESSABLE, "The new certificate is not valid yet")
        .hint("renew when it is, or publish it now and revoke the old one later"),
    // Refusals of a CA's feedback.
    row("evidence-too-large", UNPROCESSABLE, "The CA's feedback is too large")
        .hint("instead of a large CRL use an OCSP response, or a statement of the CA"),
    row("evidence-truncated", UNPROCESSABLE, "The CA's feedback is cut off"),
    row("evidence-trailing-bytes", UNPROCESSABLE, "Other bytes follow the CA's feedback"),
    row("evidence-malformed", UNPROCESSABLE, "The CA's feedback cannot be read")
        .hint("send OCSP responses and CRLs as DER"),
    row("evidence-not-canonical", UNPROCESSABLE, "The CA's feedback is not in DER"),
    row("evidence-too-many-parts", UNPROCESSABLE, "The CA's feedback has too many parts"),
    row("evidence-ambiguous", UNPROCESSABLE, "The CA's feedback says something twice"),
    row("evidence-unknown-extension", UNPROCESSABLE, "The CA's feedback has an unknown critical extension"),
    row("evidence-algorithm", UNPROCESSABLE, "An algorithm of the CA's feedback is not accepted"),
    row("evidence-algorithms-differ", UNPROCESSABLE, "The CA's feedback names two algorithms"),
    row("evidence-key", UNPROCESSABLE, "The signer's key is not accepted"),
    row("evidence-algorithm-does-not-fit-key", UNPROCESSABLE, "The algorithm does not fit the signer's key"),
    row("evidence-signature", FORBIDDEN, "The signature of the feedback or renewal does not hold"),
    row("evidence-of-other-ca", UNPROCESSABLE, "The feedback is about another CA's certificates"),
    row("evidence-of-other-certificate", UNPROCESSABLE, "The feedback is about another certificate"),
    row("evidence-for-other-ledger", UNPROCESSABLE, "The statement is for another ledger"),
    row("response-not-successful", UNPROCESSABLE, "The OCSP response is an error"),
    row("response-type", UNPROCESSABLE, "The OCSP response is not a basic one"),
    row("status-unknown", UNPROCESSABLE, "The OCSP responder does not know the certificate"),
    row("responder-unknown", FORBIDDEN, "The OCSP responder is neither the CA nor its delegate"),
    row("delegate-not-of-ca", FORBIDDEN, "The CA did not issue the OCSP delegate's certificate"),
    row("delegate-usage", FORBIDDEN, "The OCSP delegate's certificate is not for that")
        .hint("it needs the extended key usage OCSPSigning"),
    row("delegate-not-valid", FORBIDDEN, "The OCSP delegate's certificate was not valid"),
    row("delta-crl", UNPROCESSABLE, "A delta CRL is no feedback here").hint("send the complete CRL"),
    row("indirect-crl", UNPROCESSABLE, "An indirect CRL is no feedback here")
        .hint("use an OCSP response, or a statement of the CA"),
    row("partial-crl", UNPROCESSABLE, "A CRL for a part of the certificates is no feedback here")
        .hint("use an OCSP response, or a statement of the CA"),
    row("crl-number", UNPROCESSABLE, "The CRL has no usable number"),
    row("removed-from-crl", UNPROCESSABLE, "removeFromCRL belongs into delta CRLs"),
    row("crl-usage", FORBIDDEN, "The CA's certificate is not for CRLs"),
    // Refusals of a certificate or its chain.
    row("too-large", UNPROCESSABLE, "A certificate is too large"),
    row("too-many-intermediates", UNPROCESSABLE, "Too many intermediate certificates"),
    row("too-many-names", UNPROCESSABLE, "Too many alternative names"),
    row("truncated", UNPROCESSABLE, "A certificate is cut off"),
    row("trailing-bytes", UNPROCESSABLE, "Bytes follow a certificate"),
    row("malformed", UNPROCESSABLE, "Not a DER certificate"),
    row("version-not-three", UNPROCESSABLE, "Extensions ask for version 3"),
    row("serial-not-positive", UNPROCESSABLE, "The serial number is not positive"),
    row("serial-too-long", UNPROCESSABLE, "The serial number is too long"),
    row("signature-algorithms-differ", UNPROCESSABLE, "Two signature algorithms are named"),
    row("validity-reversed", UNPROCESSABLE, "The validity ends before it starts"),
    row("duplicate-extension", UNPROCESSABLE, "An extension stands twice"),
    row("undecodable-extension", UNPROCESSABLE, "An extension cannot be read"),
    row("unknown-critical-extension", UNPROCESSABLE, "A critical extension is not known"),
    row("empty-extension", UNPROCESSABLE, "An extension is empty"),
    row("authority-key-id-missing", UNPROCESSABLE, "The authority key identifier is missing"),
    row("authority-key-id-critical", UNPROCESSABLE, "The authority key identifier is critical"),
    row("subject-key-id-missing", UNPROCESSABLE, "The subject key identifier is missing"),
    row("empty-issuer", UNPROCESSABLE, "The issuer is empty"),
    row("empty-subject", UNPROCESSABLE, "The subject of a CA is empty"),
    row("no-name", UNPROCESSABLE, "The certificate names nobody"),
    row("alternative-name-not-critical", UNPROCESSABLE, "The alternative names are not critical"),
    row("basic-constraints-missing", UNPROCESSABLE, "The basic constraints are missing"),
    row("basic-constraints-not-critical", UNPROCESSABLE, "The basic constraints are not critical"),
    row("not-ca", UNPROCESSABLE, "An issuer is not a CA"),
    row("cert-sign-without-ca", UNPROCESSABLE, "The key usage is a CA's, the certificate is not"),
    row("name-constraints-outside-ca", UNPROCESSABLE, "Name constraints outside of a CA"),
    row("name-constraints-not-critical", UNPROCESSABLE, "The name constraints are not critical"),
    row("policy-constraints-not-critical", UNPROCESSABLE, "The policy constraints are not critical"),
    row("dns-name-syntax", UNPROCESSABLE, "Not a DNS name"),
    row("key-not-accepted", UNPROCESSABLE, "The kind of key is not accepted"),
    row("rsa-key-size", UNPROCESSABLE, "The RSA key's size is not accepted"),
    row("key-malformed", UNPROCESSABLE, "The key cannot be read"),
    row("signature-algorithm-not-accepted", UNPROCESSABLE, "The signature algorithm is not accepted"),
    row("unknown-root", UNPROCESSABLE, "The root is not a trusted CA of this ledger"),
    row("not-in-order", UNPROCESSABLE, "The chain is not in order"),
    row("path-too-long", UNPROCESSABLE, "The path is longer than a CA allows"),
    row("name-constraint", UNPROCESSABLE, "A name that a CA above forbids"),
    row("wildcard-covers-excluded", UNPROCESSABLE, "A wildcard covers names that a CA above forbids"),
    row("no-valid-policy", UNPROCESSABLE, "No acceptable certificate policy"),
    row("policy-mapping", UNPROCESSABLE, "anyPolicy is mapped"),
    row("key-usage", UNPROCESSABLE, "The key usage does not allow signing certificates"),
    row("extended-key-usage", UNPROCESSABLE, "The extended key usages have nothing in common"),
    row("budget-exceeded", UNPROCESSABLE, "The path costs too much to evaluate"),
    row("not-evaluable", UNPROCESSABLE, "The path cannot be evaluated"),
    row("signature-does-not-fit-key", UNPROCESSABLE, "The signature is of another kind than the key"),
    row("signature-wrong", UNPROCESSABLE, "A signature in the chain is wrong"),
    row("name-not-permitted", UNPROCESSABLE, "The subject is not on the list of names"),
    row("never-valid", UNPROCESSABLE, "The chain is never valid as a whole"),
    row("not-yet-valid", UNPROCESSABLE, "Not valid yet"),
    row("expired", UNPROCESSABLE, "Expired"),
];
