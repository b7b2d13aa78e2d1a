//! A small region for some hours: nobody is forgotten, and what a rotation costs is what the real ones were counted to cost.

use std::sync::OnceLock;

use twinkey_scale::figures::Figures;
use twinkey_scale::{Kind, Phase, Quota, REQUESTS_PER_HOUR, Scenario, run, run_beside_others};

const TICK: u64 = 300;
/// A tick of a small region, and a rotation.
const WORK: u64 = 30;

fn small(phase: Phase) -> Figures {
    run(
        Scenario {
            secrets: 2_000,
            phase,
            hours: 4,
            timeout_seconds: 60,
            seed: 7,
        },
        &|_| {},
    )
}

fn spread() -> &'static Figures {
    static SPREAD: OnceLock<Figures> = OnceLock::new();
    SPREAD.get_or_init(|| small(Phase::Spread))
}

fn rotations(figures: &Figures, kind: Kind) -> u64 {
    let late = figures.lateness.get(&kind);
    late.map_or(0, |late| u64::try_from(late.rotations).expect("a few"))
}

#[test]
fn p2_p3_no_secret_is_forgotten_and_none_has_three_keys() {
    for figures in [spread(), &small(Phase::AtOnce)] {
        assert_eq!(figures.forgotten, 0);
        assert_eq!(figures.dead_at_the_end, 0);
        assert_eq!(figures.most_live, 2);
        assert_eq!(figures.rotations.begun, figures.rotations.finished);
        assert_eq!(figures.rotations.failed, 0);
        // Two hours and a half after they were due, at the latest.
        let passwords = rotations(figures, Kind::Password);
        assert!(passwords > 0);
        if figures.scenario.phase == Phase::AtOnce {
            assert_eq!(passwords, 1_800);
        }
    }
}

#[test]
fn everything_is_rotated_within_its_interval_and_one_from_tick_to_tick() {
    for (kind, late) in &spread().lateness {
        assert!(late.max <= TICK + WORK, "{kind:?}: {}", late.max);
    }
    assert_eq!(spread().ticks.too_short, 0);
    assert_eq!(spread().ticks.incomplete + spread().ticks.cut_off, 0);
}

#[test]
fn where_all_passwords_are_due_at_once_the_tokens_are_as_early_as_ever() {
    let figures = small(Phase::AtOnce);
    assert!(
        figures.ticks.too_short > 0,
        "the passwords wait for later ticks"
    );
    let late = |kind| figures.lateness[&kind].max;
    assert!(late(Kind::Password) > 2 * TICK);
    assert!(late(Kind::Token) <= TICK + 60, "{}", late(Kind::Token));
}

#[test]
fn no_quota_is_exceeded() {
    for quota in Quota::ALL {
        let meter = &spread().quotas[&quota];
        assert!(meter.peak <= u64::from(quota.per_second()), "{quota:?}");
        assert_eq!((meter.throttled, meter.given_up), (0, 0), "{quota:?}");
    }
    assert!(spread().github.all <= REQUESTS_PER_HOUR);
}

/// docs/operations.md, Cost; and one `ListSecretVersionIds` and one `RotateSecret` of the tick.
#[test]
fn a_rotation_costs_what_the_real_ones_were_counted_to_cost() {
    let figures = spread();
    let [passwords, keys, tokens] =
        [Kind::Password, Kind::DeployKey, Kind::Token].map(|kind| rotations(figures, kind));
    let all = figures.rotations.finished;
    assert_eq!(all, passwords + keys + tokens);
    for (quota, calls) in [
        (Quota::GetSecretValue, 7 * passwords + 7 * keys + 6 * tokens),
        (Quota::DescribeSecret, 3 * passwords + 6 * keys + 3 * tokens),
        (Quota::Writes, 2 * all),
        (Quota::RotateSecret, all),
        (Quota::ListSecretVersionIds, all),
        (Quota::ListSecrets, 20 * figures.ticks.count),
    ] {
        assert_eq!(figures.quotas[&quota].calls, calls, "{quota:?}");
    }
    // The first token that is replaced has none before it that would be ended: two requests less.
    let firsts = 2 * 20;
    assert_eq!(figures.github_requests + firsts, 7 * tokens + 19 * keys);
    assert_eq!(figures.function.invocations, 4 * all);
}

#[test]
fn the_same_seed_shows_the_same_figures_and_another_seed_others() {
    let scenario = Scenario {
        secrets: 300,
        phase: Phase::Spread,
        hours: 2,
        timeout_seconds: 60,
        seed: 1,
    };
    let figures = run(scenario, &|_| {});
    assert_eq!(figures, run(scenario, &|_| {}));
    let other = Scenario {
        seed: 2,
        ..scenario
    };
    assert_ne!(figures.quotas, run(other, &|_| {}).quotas);
}

#[test]
fn p2_p5_what_is_throttled_comes_through_later_and_leaves_no_third_key() {
    let scenario = Scenario {
        secrets: 2_000,
        phase: Phase::AtOnce,
        hours: 7,
        timeout_seconds: 60,
        seed: 7,
    };
    // Others leave ten writes a second, half of what ten rotations a second need.
    let figures = run_beside_others(scenario, 20, &|_| {});
    let writes = &figures.quotas[&Quota::Writes];
    assert!(writes.throttled > 0 && writes.given_up > 0);
    assert!(
        figures.rotations.failed > 0,
        "some are stuck for an hour, and abandoned"
    );
    assert_eq!(figures.most_live, 2);
    assert_eq!(figures.forgotten, 0);
    assert_eq!(figures.dead_at_the_end, 0);
    assert_eq!(rotations(&figures, Kind::Password), 1_800);
}
