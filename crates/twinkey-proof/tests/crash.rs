use twinkey_proof::*;
use twinkey_testkit::Restart;
#[test]
fn p1_to_p5_hold_at_every_point_of_the_crash_matrix() {
    let mut bad = 0;
    for case in Case::all() {
        match std::panic::catch_unwind(|| crash_points(case)) {
            Ok(o) => eprintln!("{case}: {} points", o.len()),
            Err(_) => {
                bad += 1;
                eprintln!("{case}: BROKEN")
            }
        }
    }
    assert_eq!(bad, 0);
}
#[test]
fn p1_to_p5_hold_at_every_second_fault_during_every_recovery() {
    let mut bad = 0;
    for case in Case::all() {
        match std::panic::catch_unwind(|| pairs_of_crash_points(case, &[Restart::WholeRotation])) {
            Ok(o) => eprintln!("{case}: {} pairs", o),
            Err(_) => {
                bad += 1;
                eprintln!("{case}: BROKEN")
            }
        }
    }
    assert_eq!(bad, 0);
}
