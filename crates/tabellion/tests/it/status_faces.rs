//! Unchanged tools against a real node: `openssl ocsp`, nginx with stapling, `openssl verify -crl_check`,
//! curl. The CA is the `openssl` command too: docs/status-faces.md, run.

mod ct;
mod history;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take that has to come by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The CA's configuration, as in the guide.
const CA_CNF: &str = "\
[ca]
default_ca = this
[this]
database = index.txt
crlnumber = crlnumber
rand_serial = yes
new_certs_dir = .
default_md = sha256
default_days = 90
default_crl_days = 3
policy = names
copy_extensions = copy
x509_extensions = server
[names]
commonName = supplied
[req]
distinguished_name = asked
prompt = no
x509_extensions = root
[asked]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[responder]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[crl]
authorityKeyIdentifier = keyid
";

/// What a command left behind.
#[derive(Debug)]
struct Ran {
    is_well: bool,
    text: String,
}

impl Ran {
    fn well(self) -> Self {
        assert!(self.is_well, "{}", self.text);
        self
    }

    fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.text.contains(text), "'{text}' is missing in:\n{}", self.text);
        }
        self
    }
}

/// A CA of the `openssl` command in the folder `ca`, a ledger of one node in `net`, its status faces on
/// `port`.
struct Beside {
    folder: TempDir,
    port: u16,
    node: Option<Child>,
    helpers: Vec<Child>,
}

impl Beside {
    /// The files; no node runs. `status` is what stands in the node's file for the CA.
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        drop(listeners);
        let beside = Self { folder, port: ports[2], node: None, helpers: Vec::new() };
        beside.make_ca("ca", "Example CA");
        let plan = format!(
            "name = \"beside\"\nanchors = [\"ca/ca.pem\"]\n[parameters.block]\nheartbeat_ms = 500\n\
             [[members]]\nid = \"alpha\"\nname = \"Alpha\"\nroles = [\"certification-authority\"]\n\
             [[validators]]\nname = \"alpha\"\nmember = \"alpha\"\naddress = \"127.0.0.1:{}\"\n\
             rest = \"127.0.0.1:{}\"\n",
            ports[0], ports[1]
        );
        fs::write(beside.path().join("plan.toml"), plan).unwrap();
        beside.sh("$TABELLION network init plan.toml --out net").well();
        beside
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn sh(&self, command: &str) -> Ran {
        self.sh_in(self.path(), command)
    }

    fn sh_in(&self, folder: &Path, command: &str) -> Ran {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder)
            .env("TABELLION", env!("CARGO_BIN_EXE_tabellion"))
            .env("URL", self.url())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ran { is_well: output.status.success(), text: format!("$ {command}\n{}{}", text[0], text[1]) }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A CA in a folder of its own.
    fn make_ca(&self, folder: &str, name: &str) {
        let folder = self.path().join(folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ca.cnf"), CA_CNF).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("crlnumber"), "1000\n").unwrap();
        let make = format!(
            "openssl req -x509 -config ca.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -keyout ca.key -out ca.pem -subj '/O=Example/CN={name}' -days 3650"
        );
        self.sh_in(&folder, &make).well();
    }

    /// A certificate in the CA's folder: `<name>.pem` and `<name>.key`.
    fn issue(&self, ca: &str, name: &str, section: &str) {
        let request = format!(
            "openssl req -config ca.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -keyout {name}.key \
             -out {name}.csr -subj '/CN={name}' -addext subjectAltName=DNS:{name}.example && \
             openssl ca -batch \
             -notext -config ca.cnf -cert ca.pem -keyfile ca.key -extensions {section} -in {name}.csr \
             -out {name}.pem"
        );
        self.sh_in(&self.path().join(ca), &request).well();
    }

    /// Adds `[status]` to the node's file and starts the node.
    fn start(&mut self, more: &str) {
        let file = self.path().join("net/nodes/alpha/node.toml");
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(&format!("\n[status]\nlisten = \"127.0.0.1:{}\"\n{more}", self.port));
        fs::write(&file, text).unwrap();
        self.start_again();
    }

    fn start_again(&mut self) {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.path().join("node.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tabellion"))
            .args(["node", "--config", "net/nodes/alpha"])
            .current_dir(self.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.node = Some(child.unwrap());
        self.until("the node answers", |beside| {
            beside.sh("curl -sf $URL/").text.contains("It follows the ledger")
        });
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.node.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            let log = || fs::read_to_string(self.path().join("node.log")).unwrap_or_default();
            assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", log());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn publish(&self, name: &str) {
        let publish = format!("$TABELLION cert publish ca/{name}.pem --key net/keys/alpha.pem --network net");
        self.sh(&publish).well();
    }

    /// The CA revokes a certificate, and its CRL changes the status on the ledger.
    fn revoke(&self, verb: &str, name: &str, reason: &str) {
        let by_ca = format!(
            "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke {name}.pem \
             -crl_reason {reason} && \
             openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -crlexts crl -out ca.crl"
        );
        self.sh_in(&self.path().join("ca"), &by_ca).well();
        let on_ledger = format!(
            "$TABELLION cert {verb} ca/{name}.pem --issuer ca/ca.pem --crl ca/ca.crl --key \
             net/keys/alpha.pem \
             --network net"
        );
        self.sh(&on_ledger).well();
    }

    /// What `openssl ocsp` says of a certificate.
    fn ocsp(&self, certificate: &str, more: &str) -> Ran {
        let ask = format!(
            "openssl ocsp -issuer ca/ca.pem -cert {certificate} -url $URL/ocsp -CAfile ca/ca.pem {more}"
        );
        self.sh(&ask)
    }

    fn until_ocsp(&self, name: &str, status: &str) {
        let line = format!("ca/{name}.pem: {status}");
        self.until(&line, |beside| beside.ocsp(&format!("ca/{name}.pem"), "").text.contains(&line));
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop();
        for mut child in self.helpers.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the guide puts into the node's file.
const CA: &str = "
[[status.ca]]
certificate = \"../../../ca/ca.pem\"
names = [\"example\"]
crl_paths = [\"/pki/old/ca.crl\"]
ocsp = { certificate = \"../../../ca/responder.pem\", key = \"../../../ca/responder.key\" }
crl = { certificate = \"../../../ca/ca.pem\", key = \"../../../ca/ca.key\" }
";

/// X.1409 C10, C17, C19, C23: every status, by SHA-1 and SHA-256, with and without a nonce, by POST and GET.
#[test]
fn openssl_asks_for_every_status() {
    let mut beside = Beside::make();
    beside.make_ca("foreign", "Foreign CA");
    beside.issue("foreign", "theirs", "server");
    for name in ["good", "held", "revoked", "absent"] {
        beside.issue("ca", name, "server");
    }
    beside.issue("ca", "responder", "responder");
    beside.start(CA);
    ["good", "held", "revoked"].iter().for_each(|name| beside.publish(name));
    beside.until_ocsp("revoked", "good");
    beside.revoke("revoke", "revoked", "keyCompromise");
    beside.revoke("suspend", "held", "certificateHold");

    beside.until_ocsp("good", "good");
    beside.until_ocsp("revoked", "revoked");
    beside.until_ocsp("held", "revoked");
    beside.ocsp("ca/revoked.pem", "").well().says(&["Response verify OK", "Reason: keyCompromise"]);
    beside.ocsp("ca/held.pem", "").well().says(&["Response verify OK", "Reason: certificateHold"]);
    let answer = beside.ocsp("ca/good.pem", "").well().says(&["Response verify OK", "good.pem: good"]);
    assert!(!answer.text.contains("no nonce"), "{}", answer.text);
    beside.ocsp("ca/good.pem", "-no_nonce").well().says(&["Response verify OK", "good.pem: good"]);
    beside.ocsp("ca/absent.pem", "").well().says(&["Response verify OK", "absent.pem: unknown"]);
    let together = beside.ocsp("ca/good.pem -cert ca/revoked.pem -sha256 -cert ca/held.pem", "").well();
    together.says(&["good.pem: good", "revoked.pem: revoked", "held.pem: revoked"]);
    // The URL in certificates may be any.
    beside
        .sh("openssl ocsp -sha256 -issuer ca/ca.pem -cert ca/good.pem -url $URL/ -CAfile ca/ca.pem")
        .says(&["Response verify OK", "good.pem: good"]);
    beside
        .sh("openssl ocsp -issuer foreign/ca.pem -cert foreign/theirs.pem -url $URL/ocsp -noverify")
        .says(&["unauthorized (6)"]);
    beside.sh("printf nothing | curl -s --data-binary @- $URL/ocsp | od -An -tx1").says(&["30 03 0a 01 01"]);

    let by_get = "openssl ocsp -issuer ca/ca.pem -cert ca/good.pem -no_nonce -reqout request.der && \
                  curl -sfi $URL/ocsp/$(base64 -w0 request.der | sed 's,/,%2F,g;s,+,%2B,g') -o answer && \
                  sed '1,/^\\r$/d' answer > answer.der && sed '/^\\r$/,$d' answer && \
                  openssl ocsp -respin answer.der -issuer ca/ca.pem -cert ca/good.pem -CAfile ca/ca.pem";
    let answer = beside.sh(by_get).well().says(&["Response verify OK", "good.pem: good"]);
    answer.says(&["application/ocsp-response", "cache-control: max-age=", "expires: ", "etag: "]);
    // Also under the REST face, over TLS.
    let over_tls = "NODE=$(sed -n 's/.*\"\\(https[^\"]*\\)\".*/\\1/p' net/client.toml); \
                    curl -sf --cacert net/tls-ca.pem --data-binary @request.der \
                    -H 'content-type: application/ocsp-request' $NODE/ocsp -o answer.der && \
                    openssl ocsp -respin answer.der -issuer ca/ca.pem -cert ca/good.pem -CAfile ca/ca.pem && \
                    curl -sf --cacert net/tls-ca.pem $NODE/metrics";
    beside
        .sh(over_tls)
        .well()
        .says(&["good.pem: good", "tabellion_ocsp_certificates_total{status=\"good\"}"]);
    the_responder_is_renewed(&beside);
}

/// Certificate and key of the responder are replaced while the node runs; a pair that does not fit is left
/// alone.
fn the_responder_is_renewed(beside: &Beside) {
    let serial = |name: &str| {
        let ran = beside.sh(&format!("openssl x509 -in ca/{name}.pem -noout -serial")).well();
        ran.text.lines().nth(1).unwrap().replace("serial=", "").to_lowercase()
    };
    let signed_by = |serial: &str| {
        let text = beside.ocsp("ca/good.pem", "-resp_text -no_nonce").text.replace(':', "").to_lowercase();
        text.contains(serial)
    };
    assert!(signed_by(&serial("responder")));
    beside.issue("ca", "renewed", "responder");
    beside.sh("cp ca/renewed.pem ca/responder.pem").well();
    beside.until("the wrong pair is told", |beside| {
        let log = fs::read_to_string(beside.path().join("node.log")).unwrap();
        log.contains("does not belong to certificate")
    });
    beside.ocsp("ca/good.pem", "").well().says(&["Response verify OK"]);
    beside.sh("cp ca/renewed.key ca/responder.key").well();
    beside.until("the renewed responder signs", |_| signed_by(&serial("renewed")));
    beside.ocsp("ca/good.pem", "").well().says(&["Response verify OK", "good.pem: good"]);
}

/// X.1409 C10, C19: nginx staples what the node says.
#[test]
fn nginx_staples_what_the_node_says() {
    let mut beside = Beside::make();
    beside.issue("ca", "server", "server");
    beside.issue("ca", "responder", "responder");
    beside.start(CA);
    beside.publish("server");
    beside.until_ocsp("server", "good");
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (folder, url) = (beside.path().display(), beside.url());
    let config = format!(
        "daemon off; error_log {folder}/nginx.log; pid {folder}/nginx.pid; events {{}}\n\
         http {{ access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;\n\
         fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n\
         server {{ listen 127.0.0.1:{port} ssl;\n\
         ssl_certificate {folder}/ca/server.pem; ssl_certificate_key {folder}/ca/server.key;\n\
         ssl_stapling on; ssl_stapling_verify on; ssl_stapling_responder {url}/ocsp;\n\
         ssl_trusted_certificate {folder}/ca/ca.pem; }} }}\n"
    );
    fs::write(beside.path().join("nginx.conf"), config).unwrap();
    let nginx = Command::new("nginx")
        .args(["-c", &format!("{folder}/nginx.conf"), "-e", &format!("{folder}/nginx.log")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    beside.helpers.push(nginx.unwrap());
    let hello = format!(
        "openssl s_client -connect 127.0.0.1:{port} -status -servername server.example -CAfile ca/ca.pem \
         < /dev/null"
    );
    // nginx asks for the response when the first client wants one, which goes without.
    beside.until("nginx staples", |beside| {
        let text = beside.sh(&hello).text;
        ["OCSP Response Status: successful", "Cert Status: good", "Verify return code: 0"]
            .iter()
            .all(|line| text.contains(line))
    });
}

/// X.1409 C10, C19: `openssl verify -crl_check` with the node's CRL, whose number grows, also across a
/// restart.
#[test]
fn openssl_verifies_with_the_nodes_crl() {
    let mut beside = Beside::make();
    ["good", "held", "revoked", "responder"].iter().for_each(|name| {
        beside.issue("ca", name, if *name == "responder" { "responder" } else { "server" });
    });
    beside.start(CA);
    ["good", "held", "revoked"].iter().for_each(|name| beside.publish(name));
    let fetch = "curl -sf $URL/crl/example.crl | openssl crl -inform DER -out node.pem && \
                 openssl crl -in node.pem -noout -text -CAfile ca/ca.pem";
    let verify = |beside: &Beside, name: &str| {
        beside.sh(&format!("openssl verify -crl_check -CAfile ca/ca.pem -CRLfile node.pem ca/{name}.pem"))
    };
    beside.until("there is a CRL", |beside| beside.sh(fetch).is_well);
    let number = |beside: &Beside| {
        let text = beside.sh("openssl crl -in node.pem -noout -crlnumber").well().text;
        let digits = text.lines().find_map(|line| line.strip_prefix("crlNumber=0x").map(str::to_owned));
        u128::from_str_radix(&digits.unwrap(), 16).unwrap()
    };
    beside.sh(fetch).well().says(&[
        "verify OK",
        "No Revoked Certificates",
        "X509v3 Authority Key Identifier",
    ]);
    let first = number(&beside);
    for name in ["good", "held", "revoked"] {
        verify(&beside, name).well();
    }
    beside.revoke("revoke", "revoked", "superseded");
    beside.revoke("suspend", "held", "certificateHold");
    beside.until("the CRL has both", |beside| {
        let text = beside.sh(fetch).text;
        text.contains("Superseded") && text.contains("Certificate Hold")
    });
    verify(&beside, "good").well();
    verify(&beside, "revoked").says(&["certificate revoked"]);
    verify(&beside, "held").says(&["certificate revoked"]);
    let second = number(&beside);
    assert!(second > first, "{second} {first}");

    beside.stop();
    beside.start_again();
    beside.until("there is a CRL again", |beside| beside.sh(fetch).is_well);
    assert!(number(&beside) > second);
    verify(&beside, "revoked").says(&["certificate revoked"]);
    verify(&beside, "good").well();
    // Under the CA's identifier, and where it has always been.
    let same = "ID=$(openssl x509 -in ca/ca.pem -outform DER | sha256sum | cut -c1-64) && \
                curl -sf $URL/crl/$ID.crl | cmp - \"$CRL\" && curl -sf $URL/pki/old/ca.crl | cmp - \"$CRL\"";
    beside.sh(&format!("CRL=one.crl; curl -sf $URL/crl/example.crl -o one.crl; {same}")).well();
    let sha1 = "SHA1=$(openssl x509 -in ca/good.pem -outform DER | sha1sum | cut -c1-40) && \
                openssl x509 -in ca/good.pem -outform DER -out good.der && \
                curl -sf $URL/ikev2/$SHA1 | cmp - good.der && \
                curl -s -o /dev/null -w '%{http_code} %{content_type}\\n' $URL/ikev2/$SHA1 && \
                curl -s $URL/ikev2/0000000000000000000000000000000000000000";
    beside.sh(sha1).well().says(&["200 application/pkix-cert", "certificate-not-held"]);
}

/// A node that has no key for a CA's CRLs serves the CA's own, which was recorded; keys that do not fit keep
/// a node from starting, with the reason.
#[test]
fn a_node_without_a_crl_key_serves_the_cas_own() {
    let mut beside = Beside::make();
    ["good", "held", "responder"].iter().for_each(|name| {
        beside.issue("ca", name, if *name == "responder" { "responder" } else { "server" });
    });
    let file = beside.path().join("net/nodes/alpha/node.toml");
    let before = fs::read_to_string(&file).unwrap();
    let rows = [
        ("responder.pem", "good.key", "does not belong to certificate"),
        ("good.pem", "good.key", "may not sign OCSP responses"),
    ];
    for (certificate, key, why) in rows {
        let status = format!(
            "\n[status]\nlisten = \"127.0.0.1:0\"\n[[status.ca]]\ncertificate = \"../../../ca/ca.pem\"\n\
             ocsp = {{ certificate = \"../../../ca/{certificate}\", key = \"../../../ca/{key}\" }}\n"
        );
        fs::write(&file, format!("{before}{status}")).unwrap();
        let ran = beside.sh("$TABELLION node --config net/nodes/alpha").says(&["[[status.ca]]", why]);
        assert!(!ran.is_well);
    }
    fs::write(&file, &before).unwrap();
    beside.start("");
    beside.publish("good");
    beside.publish("held");
    let id = "ID=$(openssl x509 -in ca/ca.pem -outform DER | sha256sum | cut -c1-64)";
    beside.sh(&format!("{id}; curl -s $URL/crl/$ID.crl")).says(&["no-crl", "no key for CRLs"]);
    beside.revoke("suspend", "held", "certificateHold");
    let own = format!(
        "{id}; curl -sf $URL/crl/$ID.crl -o own.crl && openssl crl -in ca/ca.crl -outform DER | cmp - own.crl"
    );
    beside.until("the CA's own CRL is served", |beside| beside.sh(&own).is_well);
    beside.ocsp("ca/good.pem", "").says(&["unauthorized (6)"]);
}
