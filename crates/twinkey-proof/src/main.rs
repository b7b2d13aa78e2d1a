//! Runs the whole proof, and writes its figures and docs/PROOF.md.

use std::process::ExitCode;
use std::time::Instant;

use twinkey_proof::{Ledger, page, page_path};

fn main() -> ExitCode {
    let start = Instant::now();
    let progress = |what: &str| eprintln!("{:>5} s  {what}", start.elapsed().as_secs());
    let ledger = Ledger::run(&progress);
    let written = ledger
        .write()
        .and_then(|()| std::fs::write(page_path(), page(&ledger)));
    match written {
        Ok(()) => {
            progress("every promise held; figures.json and docs/PROOF.md are written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the figures cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
