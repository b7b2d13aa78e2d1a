//! The crash matrix over the real engine.

use twinkey_testkit::{Fault, Matrix, Outcome, Restart};

use crate::case::CrashCase;
use crate::{Case, now};

/// Every outside call, every fault, every restart that makes a difference, in one case.
#[must_use]
pub fn crash_points(case: Case) -> Vec<Outcome> {
    let restarts = that_differ(case, &Restart::ALL);
    let matrix = Matrix {
        faults: &Fault::ALL,
        restarts: &restarts,
    };
    now(matrix.run(async |injector| CrashCase::begin(case, injector)))
}

/// Every outside call, every fault, these restarts, then every fault at every later call of the same delivery
/// and of the recovery.
#[must_use]
pub fn pairs_of_crash_points(case: Case, restarts: &[Restart]) -> usize {
    let restarts = that_differ(case, restarts);
    let matrix = Matrix {
        faults: &Fault::ALL,
        restarts: &restarts,
    };
    now(matrix.run_twice(async |injector| CrashCase::begin(case, injector)))
}

/// For a key that does not expire, after its expiry is no time of its own.
fn that_differ(case: Case, restarts: &[Restart]) -> Vec<Restart> {
    let expires = case.kind.expires();
    let differs = |restart: &&Restart| expires || **restart != Restart::AfterExpiry;
    restarts.iter().filter(differs).copied().collect()
}
