//! Every suite of the proof, within the everyday bounds: no promise breaks, and the figures are those
//! that docs/PROOF.md shows.

use std::fmt::Debug;

use twinkey_proof::Ledger;
use twinkey_proof::figures::{
    EVERYDAY, Figures, a_person_between, at_once, beside_a_rotation, by_hand, crash, frozen,
    given_up, pairs,
};
use twinkey_proof::reachable;
use twinkey_testkit::FakeKind;

const PASSWORD: FakeKind = FakeKind::Password;
const KEY_PAIR: FakeKind = FakeKind::KeyPair;
const LISTED_TOKEN: FakeKind = FakeKind::Token { listable: true };
const UNLISTED_TOKEN: FakeKind = FakeKind::Token { listable: false };

/// Compares what a suite has measured with what the page shows.
fn compare<T: Debug + PartialEq>(
    kinds: &[FakeKind],
    measure: impl Fn(FakeKind) -> T,
    shown: impl Fn(Figures) -> T,
) {
    let committed = Ledger::committed().everyday;
    let mut differ = Vec::new();
    for kind in kinds {
        let measured = measure(*kind);
        let figures = committed.get(&kind.to_string()).cloned();
        if measured != shown(figures.unwrap_or_default()) {
            differ.push(format!("{kind}: {measured:#?}"));
        }
    }
    assert!(
        differ.is_empty(),
        "every promise held, but docs/PROOF.md shows other figures (cargo xtask prove) than\n{}",
        differ.join("\n")
    );
}

#[test]
fn p1_to_p5_hold_at_every_crash_point() {
    compare(&FakeKind::ALL, crash, |figures| figures.crash);
}

fn pairs_of(kind: FakeKind) {
    let measure = |kind| pairs(kind, &EVERYDAY);
    compare(&[kind], measure, |figures| figures.bounded.pairs);
}

#[test]
fn p1_to_p5_hold_at_every_pair_of_crash_points_of_a_password() {
    pairs_of(PASSWORD);
}

#[test]
fn p1_to_p5_hold_at_every_pair_of_crash_points_of_a_key_pair() {
    pairs_of(KEY_PAIR);
}

#[test]
fn p1_to_p5_hold_at_every_pair_of_crash_points_of_a_listed_token() {
    pairs_of(LISTED_TOKEN);
}

#[test]
fn p1_to_p5_hold_at_every_pair_of_crash_points_of_an_unlisted_token() {
    pairs_of(UNLISTED_TOKEN);
}

#[test]
fn p5_every_order_of_two_deliveries_at_once_ends_as_the_calm_run() {
    let measure = |kind| at_once(kind, &EVERYDAY);
    compare(&FakeKind::ALL, measure, |figures| figures.bounded.at_once);
}

#[test]
fn p1_to_p5_hold_with_one_more_delivery_beside_its_rotation() {
    compare(&FakeKind::ALL, beside_a_rotation, |figures| figures.beside);
}

#[test]
fn p1_to_p5_hold_with_a_rotation_given_up_beside_what_else_happens() {
    compare(&FakeKind::ALL, given_up, |figures| figures.given_up);
}

#[test]
fn p1_to_p5_hold_with_a_person_between_two_deliveries() {
    let measure = |kind| a_person_between(kind, &EVERYDAY);
    let shown = |figures: Figures| figures.bounded.with_a_person;
    compare(&FakeKind::ALL, measure, shown);
}

#[test]
fn p1_to_p5_hold_whatever_a_person_does_at_any_point() {
    compare(&FakeKind::ALL, by_hand, |figures| figures.by_hand);
}

#[test]
fn p5_a_frozen_invocation_changes_nothing_that_is_not_declared() {
    compare(&FakeKind::ALL, frozen, |figures| figures.frozen);
}

#[test]
fn p3_every_reachable_state_leads_back_to_a_pair() {
    let measure = |kind| reachable(kind, EVERYDAY.acts);
    compare(&FakeKind::ALL, measure, |figures| figures.bounded.reach);
}
