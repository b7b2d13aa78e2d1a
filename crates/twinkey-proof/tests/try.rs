use twinkey_proof::figures::*;
use twinkey_proof::*;
use twinkey_testkit::FakeKind;
#[test]
fn all() {
    let bounds = if std::env::var("DEEP").is_ok() {
        DEEP
    } else {
        EVERYDAY
    };
    for kind in FakeKind::ALL {
        let t = std::time::Instant::now();
        let f = figures(kind, &bounds, &|what| eprintln!("{:?} {what}", t.elapsed()));
        eprintln!(
            "{:?} {}",
            t.elapsed(),
            serde_json::to_string(&f).unwrap().len()
        );
        eprintln!(
            "pairs {} at once {} person {} reach {:?}",
            f.pairs.values().sum::<usize>(),
            f.at_once,
            f.with_a_person,
            f.reach
        );
    }
}
