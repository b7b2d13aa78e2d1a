//! What can go wrong with an outside call.

/// What happens to one outside call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call.
    StopBefore,
    /// The process dies after the call took effect.
    StopAfter,
    /// The call takes effect and its reply is lost.
    LoseReply,
    /// The call fails once, as it may the next time it is tried, without effect.
    FailOnce,
    /// The call is denied, without effect: a right was taken away, and is given back afterwards.
    Deny,
    /// The call outlasts the deadline: the process is killed first, and the call takes effect later,
    /// when [`crate::Injector::land`] says.
    SlowBeyondDeadline,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 6] = [
        Self::StopBefore,
        Self::StopAfter,
        Self::LoseReply,
        Self::FailOnce,
        Self::Deny,
        Self::SlowBeyondDeadline,
    ];

    /// Whether it can make a difference at a call that changes nothing: a read that is answered too
    /// late is one that was not made.
    #[must_use]
    pub fn strikes(self, call: Call) -> bool {
        call.changes || self != Self::SlowBeyondDeadline
    }
}

/// One outside call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method of the store or the provider.
    pub name: &'static str,
    /// Whether it can change anything outside.
    pub changes: bool,
}
