//! The crash matrix over the real engine.

use twinkey_testkit::{Fault, Matrix, Outcome, Restart};

use crate::case::CrashCase;
use crate::{Case, now};

/// Every outside call, every fault, every restart that makes a difference, in one case.
#[must_use]
pub fn crash_points(case: Case) -> Vec<Outcome> {
    let expires = case.kind.expires();
    let differs = |restart: &Restart| expires || *restart != Restart::AfterExpiry;
    let restarts: Vec<Restart> = Restart::ALL.into_iter().filter(differs).collect();
    let matrix = Matrix {
        faults: &Fault::ALL,
        restarts: &restarts,
    };
    now(matrix.run(async |injector| CrashCase::begin(case, injector)))
}

/// Every point of a matrix, then every fault at every call of the recovery.
#[must_use]
pub fn pairs_of_crash_points(case: Case, matrix: Matrix<'_>) -> usize {
    now(matrix.run_twice(async |injector| CrashCase::begin(case, injector)))
}
