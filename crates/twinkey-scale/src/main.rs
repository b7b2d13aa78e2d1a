//! Runs the scenarios, and writes their figures, docs/scale.svg and docs/scale.md; with `--page` only the two, from the
//! figures of the last run.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use twinkey_scale::figures::{Figures, Ledger};
use twinkey_scale::{Phase, Scenario, run};

const SECRETS: usize = 100_000;
const SEED: u64 = 7;

fn main() -> ExitCode {
    let written = match std::env::args().nth(1).as_deref() {
        None => simulate(),
        Some("--page") => Ledger::committed().and_then(|ledger| ledger.write_page()),
        Some(other) => {
            eprintln!("there is no option {other}: --page, or none");
            return ExitCode::FAILURE;
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the figures cannot be read or written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate() -> io::Result<()> {
    let ledger = Ledger {
        spread: told("whenever", Phase::Spread, 24, 300),
        at_once: told("all at once", Phase::AtOnce, 8, 300),
        short: told("a tick of a minute", Phase::Spread, 1, 60),
    };
    ledger.write()?;
    ledger.write_page()
}

fn told(what: &str, phase: Phase, hours: u64, timeout_seconds: u64) -> Figures {
    let began = Instant::now();
    let scenario = Scenario {
        secrets: SECRETS,
        phase,
        hours,
        timeout_seconds,
        seed: SEED,
    };
    run(scenario, &|hour| {
        eprintln!("{:>5} s  {what}: hour {hour}", began.elapsed().as_secs());
    })
}
