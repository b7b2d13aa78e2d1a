//! One figure, measured again and again.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// Milliseconds, in order of size; never empty.
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn new(times: &[Duration]) -> Self {
        let milliseconds = times.iter().map(|time| time.as_secs_f64() * 1e3);
        let mut sorted: Vec<f64> = milliseconds.collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }

    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn json(&self) -> Value {
        let (lowest, highest) = self.ends();
        json!({ "median": self.median(), "lowest": lowest, "highest": highest, "measured": self.0.len() })
    }

    fn ends(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lowest, highest) = self.ends();
        write!(f, "{:.1} ms ({lowest:.1} to {highest:.1})", self.median())
    }
}
