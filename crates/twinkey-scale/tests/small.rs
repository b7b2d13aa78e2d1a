//! A small region for some hours: nobody is forgotten, and no quota exceeded.

use twinkey_scale::{Phase, Scenario, run};

#[test]
fn x() {
    let figures = run(
        Scenario {
            secrets: 2000,
            phase: Phase::Spread,
            hours: 4,
            timeout_seconds: 300,
            seed: 7,
        },
        &|hour| eprintln!("{hour}"),
    );
    let mut f = figures.clone();
    for (q, m) in &mut f.quotas {
        m.peaks.clear();
        eprintln!("{q:?} {m:?}");
    }
    f.rotations.bins.clear();
    for l in f.lateness.values_mut() {
        l.bins.clear();
    }
    eprintln!("{f:#?}");
}
