//! docs/PROOF.md: prose from `page.md`, tables from the figures.

use crate::Ledger;
use crate::figures::{DEEP, EVERYDAY};
use crate::tables::{
    acts, at_once, beside, by_hand, cases, crash_tables, frozen, given_up, most_rotations, mutants,
    reach, sabotages, totals,
};

/// The page for these figures.
#[must_use]
pub fn page(ledger: &Ledger) -> String {
    let mut page = include_str!("page.md").to_owned();
    let tables = [
        ("totals", totals(ledger)),
        ("crash-tables", crash_tables(ledger)),
        ("cases", cases(ledger)),
        ("at-once", at_once(ledger)),
        ("beside", beside(ledger)),
        ("by-hand", by_hand(ledger)),
        ("frozen", frozen(ledger)),
        ("given-up", given_up(ledger)),
        ("most-rotations", most_rotations(ledger)),
        ("reach", reach(ledger)),
        ("sabotages", sabotages()),
        ("mutants", mutants()),
        ("acts", acts(EVERYDAY.acts)),
        ("acts-deep", acts(DEEP.acts)),
    ];
    for (name, table) in tables {
        let mark = format!("{{{{{name}}}}}");
        assert!(page.contains(&mark), "page.md has no place for {name}");
        page = page.replace(&mark, table.trim_end());
    }
    page
}
