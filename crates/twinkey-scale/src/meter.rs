//! How many calls there were, how many in the busiest second, and how many were one too many.

use serde::{Deserialize, Serialize};

/// How long a bin of the plot is: from one tick to the next.
pub const BIN_SECONDS: u64 = 300;

/// Calls of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// All calls, those that were throttled too.
    pub calls: u64,
    /// Calls that were answered with `ThrottlingException`.
    pub throttled: u64,
    /// Calls that were throttled three times in a row, and failed.
    pub given_up: u64,
    /// Calls in the busiest second.
    pub peak: u64,
    /// Calls in the busiest second of each bin.
    pub peaks: Vec<u64>,
    #[serde(skip)]
    second: u64,
    #[serde(skip)]
    in_second: u64,
}

impl Meter {
    /// Counts a call at this millisecond.
    pub(crate) fn count(&mut self, at: u64) {
        let second = at / 1000;
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        self.calls += 1;
        self.in_second += 1;
        self.peak = self.peak.max(self.in_second);
        raise(&mut self.peaks, at, self.in_second);
    }
}

/// Raises the value of the bin that this millisecond is in.
pub(crate) fn raise(bins: &mut Vec<u64>, at: u64, value: u64) {
    let bin = bin(bins, at);
    *bin = value.max(*bin);
}

/// The bin that this millisecond is in.
pub(crate) fn bin(bins: &mut Vec<u64>, at: u64) -> &mut u64 {
    let index = usize::try_from(at / 1000 / BIN_SECONDS).unwrap_or_default();
    if bins.len() <= index {
        bins.resize(index + 1, 0);
    }
    &mut bins[index]
}
