//! Runs the whole proof, and writes its figures and docs/PROOF.md; with `--page` only the page, from the
//! figures of the last run; with `--engine` only says the fingerprint of the engine's sources.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use twinkey_proof::{Ledger, engine_sources, page, page_path};

fn main() -> ExitCode {
    let written = match std::env::args().nth(1).as_deref() {
        None => prove(),
        Some("--page") => write_page(&Ledger::committed()),
        Some("--engine") => writeln!(io::stdout(), "{}", engine_sources()),
        Some(other) => {
            eprintln!("there is no option {other}: --page, --engine, or none");
            return ExitCode::FAILURE;
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the figures cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prove() -> io::Result<()> {
    let start = Instant::now();
    let progress = move |what: &str| eprintln!("{:>5} s  {what}", start.elapsed().as_secs());
    let ledger = Ledger::run(&progress);
    ledger.write()?;
    write_page(&ledger)?;
    progress("every promise held; figures.json and docs/PROOF.md are written");
    Ok(())
}

fn write_page(ledger: &Ledger) -> io::Result<()> {
    std::fs::write(page_path(), page(ledger))
}
