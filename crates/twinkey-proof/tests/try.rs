use twinkey_proof::*;
use twinkey_testkit::FakeKind;
#[test]
fn reach() {
    for kind in FakeKind::ALL {
        for acts in [
            vec![],
            vec![Act::RemovePending],
            vec![Act::PutCurrentAgain],
            vec![Act::LetAllExpire],
            vec![Act::BreakCurrent],
            vec![Act::BreakPrevious],
            vec![Act::PutPreviousAgain],
            vec![Act::MoveCurrentBack],
            Act::ALL.to_vec(),
        ] {
            if acts.len() > 1 {
                continue;
            }
            match std::panic::catch_unwind(|| reachable(kind, &acts)) {
                Ok(o) => eprintln!("{kind} {acts:?}: {o:?}"),
                Err(_) => {
                    eprintln!("{kind} {acts:?}: BROKEN")
                }
            }
        }
    }
}
