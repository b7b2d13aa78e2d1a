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
    /// The call outlasts the time that its caller gives it: the caller hears nothing and goes on, and the
    /// call takes effect later, when [`crate::Injector::land`] says.
    TimesOut,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 7] = [
        Self::StopBefore,
        Self::StopAfter,
        Self::LoseReply,
        Self::FailOnce,
        Self::Deny,
        Self::SlowBeyondDeadline,
        Self::TimesOut,
    ];

    /// Whether it can make a difference at a call that changes nothing: a read that is answered too
    /// late is one that was not made.
    #[must_use]
    pub fn strikes(self, call: Call) -> bool {
        call.changes || !self.lands_late()
    }

    /// Whether the call takes effect only after its caller has given it up.
    #[must_use]
    pub fn lands_late(self) -> bool {
        matches!(self, Self::SlowBeyondDeadline | Self::TimesOut)
    }

    /// Whether the process lives on, so that the same delivery goes on.
    #[must_use]
    pub fn spares_the_process(self) -> bool {
        matches!(
            self,
            Self::LoseReply | Self::FailOnce | Self::Deny | Self::TimesOut
        )
    }
}

/// One outside call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// On whose behalf it was made, if that was said: a step of the rotation, or "abandon".
    pub by: &'static str,
    /// The method of the store or the provider.
    pub name: &'static str,
    /// Whether it can change anything outside.
    pub changes: bool,
}
