//! docs/PROOF.md is what the committed figures say, and they are of the engine as it is.

use twinkey_proof::{Ledger, page, page_path, sources};

#[test]
fn the_page_shows_the_committed_figures() {
    let written = std::fs::read_to_string(page_path()).expect("docs/PROOF.md");
    assert!(
        written == page(&Ledger::committed()),
        "docs/PROOF.md is not what figures.json says: cargo xtask prove --page"
    );
}

#[test]
fn the_deeper_figures_are_of_these_sources() {
    assert_eq!(
        Ledger::committed().sources,
        sources(),
        "the engine, the fakes or the proof have changed since the last complete run: cargo xtask prove"
    );
}
