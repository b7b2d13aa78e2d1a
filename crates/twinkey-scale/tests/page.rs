//! docs/scale.md and docs/scale.svg are what the committed figures say.

use twinkey_scale::figures::{Ledger, document};
use twinkey_scale::{page, plot};

#[test]
fn the_page_and_the_plot_show_the_committed_figures() {
    let ledger = Ledger::committed().expect("figures.json");
    for (name, shown) in [("scale.md", page(&ledger)), ("scale.svg", plot(&ledger))] {
        let written = std::fs::read_to_string(document(name)).expect("committed");
        assert!(
            written == shown,
            "docs/{name} is not what figures.json says: cargo xtask scale --page"
        );
    }
}
