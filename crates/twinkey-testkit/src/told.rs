//! Where a promise was found broken.

use std::fmt;

/// Says, while a panic passes, at which point of a search it happened.
pub struct ToldOnPanic<'a>(pub &'a dyn fmt::Display);

impl fmt::Debug for ToldOnPanic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToldOnPanic({})", self.0)
    }
}

impl Drop for ToldOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("at {}", self.0);
        }
    }
}
