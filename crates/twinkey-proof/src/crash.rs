//! The crash matrix over the real engine.

use twinkey_testkit::{Matrix, Outcome};

use crate::case::CrashCase;
use crate::{Case, now};

/// Every outside call, every fault, every restart, in one case.
#[must_use]
pub fn crash_points(case: Case) -> Vec<Outcome> {
    now(Matrix::FULL.run(async |injector| CrashCase::begin(case, injector)))
}

/// Every point of a matrix, then every fault at every call of the recovery.
#[must_use]
pub fn pairs_of_crash_points(case: Case, matrix: Matrix<'_>) -> usize {
    now(matrix.run_twice(async |injector| CrashCase::begin(case, injector)))
}
