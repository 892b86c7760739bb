use std::time::{Duration, Instant};

use crate::{PlanSize, run_plan};

/// X.1409 L5, L6: whatever crashes, breaks and gets lost, no two finalised blocks at one height, equal roots,
/// nothing acknowledged lost, progress after healing.
///
/// `TABELLION_SEED=7` replays one seed; `TABELLION_SIMULATION_SECONDS=7200` runs for hours.
#[test]
fn simulated_faults_never_fork_lose_or_stop_the_ledger() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let size = PlanSize { nodes_min: 4, nodes_max: 16, steps: 30 };
    if let Some(seed) = number("TABELLION_SEED") {
        eprintln!("seed {seed}: {} acknowledged", run_plan(seed, size));
        return;
    }
    let limit = Duration::from_secs(number("TABELLION_SIMULATION_SECONDS").unwrap_or(90));
    let begin = Instant::now();
    let mut seed = 0;
    while seed < 3 || begin.elapsed() < limit {
        eprintln!(
            "replay: TABELLION_SEED={seed} cargo nextest run -p tabellion-testkit simulated --no-capture"
        );
        eprintln!("seed {seed}: {} acknowledged", run_plan(seed, size));
        seed += 1;
    }
}
