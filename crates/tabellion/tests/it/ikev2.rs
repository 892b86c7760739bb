//! The example `examples/henb`, run: two unchanged strongSwan daemons, and a node that the gateway asks.

use std::path::Path;
use std::process::Command;

use crate::run::Ran;

/// Runs the example by a command that begins with these words.
fn example(before: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/henb/run.sh");
    let words = [before, &["bash", script.to_str().unwrap()]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("TABELLION", env!("CARGO_BIN_EXE_tabellion"));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What the example says under a title.
fn told<'a>(ran: &'a Ran, title: &str) -> Vec<&'a str> {
    let heading = format!("== {title}");
    let after = ran.out.lines().skip_while(|line| *line != heading).skip(1);
    after.take_while(|line| !line.is_empty()).collect()
}

const STATUS: &str = "its status (OCSP)";
const CERTIFICATE_AND_STATUS: &str = "the certificate (by SHA-1), its status (OCSP)";
const IN: &str = "let in, and its tunnel carries a ping";
const REFUSED: &str = "refused (AUTHENTICATION_FAILED)";

/// What happens, what the gateway asks the ledger, what the ledger answers, what the gateway decides.
const AUTHENTICATIONS: [[&str; 4]; 11] = [
    ["Normal, by certificate", STATUS, "good", IN],
    ["Normal, by identifier", CERTIFICATE_AND_STATUS, "the certificate, good", IN],
    ["Suspended, by certificate", STATUS, "revoked (certificate hold)", REFUSED],
    [
        "Suspended, by identifier",
        CERTIFICATE_AND_STATUS,
        "the certificate, revoked (certificate hold)",
        REFUSED,
    ],
    ["Resumed, by certificate", STATUS, "good", IN],
    ["Resumed, by identifier", CERTIFICATE_AND_STATUS, "the certificate, good", IN],
    ["Revoked, by certificate", STATUS, "revoked (key compromise)", REFUSED],
    ["Revoked, by identifier", CERTIFICATE_AND_STATUS, "the certificate, revoked (key compromise)", REFUSED],
    ["Unknown, by certificate", STATUS, "unknown", REFUSED],
    ["Unknown, by identifier", "the certificate (by SHA-1)", "no such certificate", REFUSED],
    ["No node answers", STATUS, "nothing", REFUSED],
];

/// X.1409 C23: the four steps of II.1 over IKEv2. A base station sends its certificate, or SHA-1 and URL in
/// its place; the gateway asks the ledger for the status, and there for the certificate too; only `normal`
/// comes in.
#[test]
fn a_strongswan_gateway_lets_stations_in_that_are_normal_on_the_ledger_and_no_others() {
    let ran = example(&[]).check(0, &[]);
    for [title, asked, answered, decided] in AUTHENTICATIONS {
        let lines = told(&ran, title);
        assert_eq!(lines.len(), 4, "{title}: {ran:?}");
        let by_identifier = title.ends_with("identifier");
        let shown = if by_identifier { "SHA-1 and URL of its certificate" } else { "its certificate" };
        let bytes = lines[0].strip_prefix(&format!("1  H(e)NB -> SeGW    IKE_AUTH with {shown}, "));
        let bytes: u32 = bytes.and_then(|rest| rest.strip_suffix(" bytes")).unwrap().parse().unwrap();
        // The certificate of this station has some 450 bytes.
        assert_eq!(bytes < 800, by_identifier, "{title}: {bytes} bytes");
        assert_eq!(lines[1], format!("2  SeGW -> ledger    {asked}"), "{title}");
        assert_eq!(lines[2], format!("3  ledger -> SeGW    {answered}"), "{title}");
        assert!(
            lines[3].starts_with(&format!("4  SeGW -> H(e)NB    {decided}, after ")),
            "{title}: {lines:?}"
        );
    }
    // Four times found, of the five that the table has; the node's word against the gateway's.
    let counted = told(&ran, "What the node counted: certificates that it gave by their SHA-1");
    let row =
        |outcome: &str, count| format!("tabellion_ikev2_lookups_total{{outcome=\"{outcome}\"}} {count}");
    assert_eq!(counted, [row("found", 4), row("missing", 1)]);
    assert!(ran.out.ends_with("== All as it should be\n"));
}

/// Without the right to make namespaces it says so, and leaves the host's `/run` alone.
#[test]
fn the_example_says_which_rights_it_needs() {
    let ran = example(&["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]);
    ran.check(1, &["FAILED", "CAP_SYS_ADMIN and CAP_NET_ADMIN"]);
}
