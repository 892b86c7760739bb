//! `tabellion proxy run`: a proxy between two ledgers. It remembers nothing and needs no trust.

use std::time::Duration;

use serde::Serialize;
use tabellion_client::{ClientError, Proxy, Relayed};

use super::RunArgs;
use crate::cli::NetworkOptions;
use crate::context::Context;
use crate::failure::Done;
use crate::failure::chain;
use crate::moment::now;
use crate::output::Output;

/// How long a relay may wait until it is recorded.
const WAIT: Duration = Duration::from_secs(30);
/// Longest pause after turns that failed.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A turn as JSON.
#[derive(Serialize)]
struct Turn {
    relayed: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    results: u64,
}

/// Forwards until it is interrupted.
pub async fn run(args: RunArgs, options: NetworkOptions, output: Output) -> Done {
    let from = NetworkOptions { network: Some(args.from), ..NetworkOptions::default() };
    let to = NetworkOptions {
        network: Some(args.to),
        key: options.key,
        passphrase_file: options.passphrase_file,
        ..NetworkOptions::default()
    };
    let (host, home) = (Context::new(from, output)?, Context::new(to, output)?);
    let key = home.key()?;
    let mut proxy = Proxy::new(host.relying_party()?, home.relying_party()?, key);
    output.say(format!(
        "Forwarding from ledger {} to ledger {}.",
        proxy.host().light().trust().ledger(),
        proxy.home().light().trust().ledger()
    ));
    let (mut failures, mut before) = (0_u32, None);
    loop {
        let turn = proxy.turn(now(), WAIT).await;
        let pause = match turn {
            Ok(relayed) => {
                failures = 0;
                tell(&relayed, before.as_ref(), output);
                let more = matches!(relayed, Relayed::Recorded { more: true, .. });
                let is_done = !more && !matches!(relayed, Relayed::Raced(_));
                before = Some(relayed);
                if args.once && is_done {
                    return Ok(());
                }
                if more { Duration::ZERO } else { args.every.0 }
            }
            Err(error) if args.once => return Err(error.into()),
            Err(error) => {
                failures += 1;
                complain(&error, output);
                // Another node of either ledger may be well.
                proxy.host().nodes().next_node();
                proxy.home().nodes().next_node();
                (args.every.0 * 2_u32.saturating_pow(failures.min(8))).min(PAUSE_MAX)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn tell(relayed: &Relayed, before: Option<&Relayed>, output: Output) {
    let turn = |relayed, height: Option<u64>, results| Turn { relayed, height, results };
    match relayed {
        Relayed::Recorded { height, results, .. } => {
            let height = height.map(|height| height.0);
            output.value(&turn("recorded", height, *results));
            let what = height.map(|height| format!("header {height}"));
            let header = what.unwrap_or_else(|| "changes of validators".to_owned());
            output.line(format!("recorded  {header}, {results} results"));
        }
        Relayed::Idle => {}
        Relayed::Raced(code) => output.say(format!("another proxy was faster ({code})")),
        // Once is enough: the members may take days.
        same if before == Some(same) => {}
        Relayed::NotFollowed => {
            output.warn("the home ledger does not follow the host ledger (`tabellion propose follow-ledger`)")
        }
        Relayed::Frozen => output.warn(
            "FORK: the link is frozen; the members decide whom to follow (`tabellion propose follow-anew`)",
        ),
    }
}

fn complain(error: &ClientError, output: Output) {
    output.warn(chain(error));
}
