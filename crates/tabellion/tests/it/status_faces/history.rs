//! The history of a certificate from a real node's index, and a CA that has nothing but curl.

use super::{Beside, Ran};

impl Beside {
    /// The CA's newest CRL, sent to the node with curl: docs/status-faces.md, step 4.
    fn push(&self, name: &str) -> Ran {
        let make = "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -crlexts crl -out ca.crl";
        self.sh_in(&self.path().join("ca"), make).well();
        self.sh(&format!(
            "NODE=$(sed -n 's/.*\"\\(https[^\"]*\\)\".*/\\1/p' net/client.toml); \
             ID=$(openssl x509 -in ca/{name}.pem -outform DER | sha256sum | cut -c1-64); \
             curl -s --cacert net/tls-ca.pem --data-binary @ca/ca.crl \
             \"$NODE/v1/certificates/$ID/changes?wait=recorded\""
        ))
    }

    fn mark(&self, name: &str, reason: &str) {
        let mark = format!(
            "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke {name}.pem -crl_reason {reason}"
        );
        self.sh_in(&self.path().join("ca"), &mark).well();
    }

    fn fill_index_anew(&mut self) {
        self.stop();
        self.sh("ls net/nodes/alpha/data/index/index.sqlite && rm -r net/nodes/alpha/data/index").well();
        self.start_again();
    }

    /// What `cert history` prints, without the line of the command.
    fn history(&self, more: &str) -> Vec<String> {
        let ran = self.sh(&format!("$TABELLION --network net {more} cert history ca/server.pem 2>&1")).well();
        ran.text.lines().skip(1).map(str::to_owned).collect()
    }
}

/// X.1409 A5, C8, C13: published, suspended, resumed and revoked by CRLs that the CA sends with curl; each
/// step is told with who, why and evidence, and proved; also by an index that was filled again.
#[test]
fn a_history_is_told_and_proved_by_a_real_node() {
    let mut beside = Beside::make();
    beside.issue("ca", "server", "server");
    beside.sign_for_others();
    beside.start("");
    beside.publish("server");
    beside.push("server").says(&["\"unchanged\""]);
    beside.mark("server", "certificateHold");
    beside.push("server").says(&["\"suspended\"", "\"certificate-hold\"", "\"recorded\""]);
    // The CA releases it, which the openssl command cannot do by itself.
    beside.sh("sed -i 's/^R\\t\\([^\\t]*\\)\\t[^\\t]*\\t/V\\t\\1\\t\\t/' ca/index.txt").well();
    // A CRL's time has whole seconds, and the next one must be newer.
    beside.until("the certificate is good again", |beside| beside.push("server").text.contains("\"normal\""));
    beside.mark("server", "keyCompromise");
    beside.push("server").says(&["\"revoked\"", "\"key-compromise\""]);

    let told = beside.history("");
    assert_eq!(told.len(), 6, "{told:#?}");
    let hash = beside.sh("openssl crl -in ca/ca.crl -outform DER | sha256sum | cut -c1-64").well().text;
    let hash = hash.lines().nth(1).unwrap();
    let rows = [
        ["normal", " - ", "alpha", " -"],
        ["suspended", "certificate-hold", "alpha", "crl of "],
        ["normal", " - ", "alpha", "crl of "],
        ["revoked", "key-compromise", "alpha", hash],
    ];
    for (line, words) in told[1..].iter().zip(&rows) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}: {words:?}");
    }
    assert!(told[5].starts_with("proved") && told[5].contains("all 4 records"), "{told:#?}");

    let json: serde_json::Value = serde_json::from_str(&beside.history("--json")[0]).unwrap();
    assert_eq!((&json["complete"], &json["standing"]), (&true.into(), &"revoked".into()));
    let records = json["records"].as_array().unwrap();
    assert_eq!((records.len(), &records[3]["evidence"]["hash"]), (4, &hash.into()));
    for record in records {
        let transaction = record["transaction"].as_str().unwrap();
        beside.sh(&format!("$TABELLION --network net ledger tx {transaction}")).well();
    }

    // A certificate that its CA takes back before it starts.
    beside.issue("ca", "later", "server");
    let publish = "$TABELLION cert publish ca/later.pem --from +1d --key net/keys/alpha.pem --network net";
    beside.sh(publish).well();
    beside.mark("later", "superseded");
    beside.push("later").says(&["\"revoked\"", "\"recorded\""]);
    let of_later = |beside: &Beside| {
        beside.sh("$TABELLION --network net cert history ca/later.pem 2>&1").well().says(&[
            "  normal   ",
            "  revoked  ",
            "superseded",
            "all 2 records",
        ]);
    };
    of_later(&beside);

    beside.fill_index_anew();
    of_later(&beside);
    assert_eq!(beside.history("")[..5], told[..5], "from the stored blocks");
    let absent = format!("$TABELLION --network net cert history {}", "0123".repeat(16));
    beside.sh(&absent).well().says(&["is not on the ledger"]);
}
