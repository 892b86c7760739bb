use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::{Outcome, PlanSize, Strategy, run_plan};

const SIZE: PlanSize = PlanSize { nodes_min: 4, nodes_max: 16, steps: 30 };

/// X.1409 L5, L6: whatever crashes, breaks, lags and gets lost, and whatever one validator lies, no two
/// finalised blocks at one height, no two rosters in one epoch, equal roots, nothing acknowledged lost,
/// progress after healing, and nobody honest accused.
///
/// `TABELLION_SEED=7` replays one seed, with what `TABELLION_LOG=warn` wants to see of its nodes;
/// `TABELLION_SIMULATION_SECONDS=7200` runs for hours,
/// `TABELLION_FIRST_SEED=1000` from another seed on.
#[test]
fn simulated_faults_never_fork_lose_or_stop_the_ledger() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("TABELLION_SEED") {
        tracing_subscriber::fmt().with_env_filter(EnvFilter::from_env("TABELLION_LOG")).init();
        eprintln!("seed {seed}: {:?}", run_plan(seed, SIZE));
        return;
    }
    let limit = Duration::from_secs(number("TABELLION_SIMULATION_SECONDS").unwrap_or(90));
    let first = number("TABELLION_FIRST_SEED").unwrap_or(0);
    let begin = Instant::now();
    let mut outcomes = Vec::new();
    // However slow the machine is, each strategy has its turn.
    for seed in first.. {
        if outcomes.len() >= Strategy::ALL.len() && begin.elapsed() >= limit {
            break;
        }
        eprintln!(
            "replay: TABELLION_SEED={seed} cargo nextest run -p tabellion-testkit simulated --no-capture"
        );
        let outcome = run_plan(seed, SIZE);
        eprintln!("seed {seed}: {outcome:?}");
        outcomes.push(outcome);
    }
    check_that_lies_were_met(&outcomes);
}

/// A liar that nobody notices shows nothing.
fn check_that_lies_were_met(outcomes: &[Outcome]) {
    let of = |strategy| outcomes.iter().filter(move |outcome| outcome.strategy == strategy);
    let convicted: usize = of(Strategy::Twins).map(|outcome| outcome.convicted).sum();
    assert!(convicted > 0, "no twins were convicted");
    let voted_down: u64 = of(Strategy::SpoiledBlocks).map(|outcome| outcome.voted_down).sum();
    assert!(voted_down > 0, "no spoiled block was voted down");
    assert!(outcomes.iter().any(|outcome| outcome.slow > 0), "no disk was slow");
    assert!(outcomes.iter().any(|outcome| outcome.rosters > 1), "no roster changed");
    assert!(outcomes.iter().any(|outcome| outcome.restored > 0), "no old disk came back");
    assert!(outcomes.iter().any(|outcome| outcome.refilled > 0), "no disk was lost");
}

/// A seed that fails fails again.
#[test]
fn the_same_seed_gives_the_same_run() {
    let size = PlanSize { nodes_max: 5, steps: 8, ..SIZE };
    for seed in 0..5 {
        assert_eq!(run_plan(seed, size), run_plan(seed, size), "seed {seed}");
    }
}
