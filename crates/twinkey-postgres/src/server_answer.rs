//! What a server, or a pooler before it, has reported.

use std::fmt;

use tokio_postgres::error::{DbError, SqlState};
use twinkey_core::ErrorKind;

use crate::sqlstate::{READ_ONLY, is_bad_login, meaning};

/// pgbouncer's own words for a password that is not the role's. It has no code for that, and translates nothing.
/// <https://github.com/pgbouncer/pgbouncer/blob/master/src/client.c>
const POOLER_REFUSED: [&str; 2] = [
    "SASL authentication failed",
    "password authentication failed",
];
/// The same for a role that its `auth_query` does not find.
const POOLER_UNKNOWN: &str = "no such user";

/// What the answer to a login says of the key that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The password is not the role's.
    Password,
    /// The password is right; its role may go no further.
    Role,
    /// The role is refused, and nobody has looked at the password.
    Unread,
}

/// An error that a server reported, without any part that may quote a statement.
#[derive(Clone, Debug)]
pub(crate) struct ServerAnswer {
    pub(crate) state: SqlState,
    message: String,
    routine: Option<String>,
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.shown_code())
    }
}

impl ServerAnswer {
    pub(crate) fn of(error: &DbError) -> Self {
        Self {
            state: error.code().clone(),
            message: harmless(error.message()),
            routine: error.routine().map(str::to_owned),
        }
    }

    /// A code has five letters and digits; what else a server may send is not repeated.
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn shown_code(&self) -> &str {
        let code = self.state.code();
        let is_one = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_one { code } else { "malformed" }
    }

    /// Its stable name, and what the caller can do about it.
    pub(crate) fn meaning(&self) -> (&'static str, ErrorKind) {
        if self.is_about_writing() {
            return READ_ONLY;
        }
        meaning(&self.state)
    }

    /// A standby refuses `BEGIN READ WRITE` with a code that says no more than that something is not
    /// supported. It comes from the check of the one setting that we set there.
    fn is_about_writing(&self) -> bool {
        self.state == SqlState::FEATURE_NOT_SUPPORTED
            && self.routine.as_deref() == Some("call_bool_check_hook")
    }

    /// Whether the role is not let in whatever it shows: NOLOGIN, or it is gone. Told by the server's
    /// function from a certificate or a line of `pg_hba.conf` that does not fit.
    pub(crate) fn is_about_role(&self) -> bool {
        self.state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && self.routine.as_deref() == Some("InitializeSessionUserId")
    }

    /// Whether `pg_hba.conf` has no place for this login, whatever its password. The same code
    /// also stands for a role that may not log in; the server's function tells them apart, and
    /// unlike the message it is never translated.
    pub(crate) fn is_host_based(&self) -> bool {
        self.state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && self.routine.as_deref() == Some("ClientAuthentication")
    }

    /// Whether it is an answer to the key, and which. What `pg_hba.conf` says is none: it would be the same for every
    /// password. Nor is what a pooler passes on, which may be about a login of its own.
    pub(crate) fn refusal(&self) -> Option<Refused> {
        if self.routine.is_none() {
            return self.poolers_refusal();
        }
        match self.state {
            _ if self.is_host_based() => None,
            SqlState::INVALID_PASSWORD => Some(Refused::Password),
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE => {
                Some(Refused::Role)
            }
            _ => None,
        }
    }

    /// Whether a pooler speaks, for itself or for a server: a server says which of its functions complains.
    /// pgbouncer has one code for what it says itself, and newer ones pass on a server's.
    pub(crate) fn is_poolers(&self) -> bool {
        let passed_on = is_bad_login(&self.state) || self.state == SqlState::INSUFFICIENT_PRIVILEGE;
        self.routine.is_none() && (passed_on || self.state == SqlState::PROTOCOL_VIOLATION)
    }

    fn poolers_refusal(&self) -> Option<Refused> {
        match self.message.as_str() {
            POOLER_UNKNOWN => Some(Refused::Unread),
            said if POOLER_REFUSED.contains(&said) => Some(Refused::Password),
            _ => None,
        }
    }
}

/// One line, not endless, and never with a verifier in it: a server quotes what it cannot parse.
pub(crate) fn harmless(message: &str) -> String {
    const LONGEST: usize = 200;
    if message.contains("SCRAM-SHA-256$") {
        return "(message withheld: it quotes a verifier)".into();
    }
    let visible = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    message.chars().take(LONGEST).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, message: &str, routine: Option<&str>) -> ServerAnswer {
        ServerAnswer {
            state: SqlState::from_code(code),
            message: message.into(),
            routine: routine.map(str::to_owned),
        }
    }

    #[test]
    fn p7_what_a_pooler_says_of_the_password_is_told_from_what_it_says_of_itself() {
        for (message, refused) in [
            ("SASL authentication failed", Some(Refused::Password)),
            ("password authentication failed", Some(Refused::Password)),
            ("no such user", Some(Refused::Unread)),
            ("query_wait_timeout", None),
            ("no more connections allowed (max_client_conn)", None),
            ("bouncer config error", None),
            ("role \"app\" is not permitted to log in", None),
        ] {
            let said = answer("08P01", message, None);
            assert!(said.is_poolers());
            assert_eq!(said.refusal(), refused, "{message}");
        }
        let nonsense = answer("08P01", "no such user", Some("ProcessStartupPacket"));
        assert!(!nonsense.is_poolers());
        assert_eq!(nonsense.refusal(), None);
    }

    #[test]
    fn p7_what_a_pooler_passes_on_is_no_answer_to_a_key() {
        for (code, message) in [
            ("28P01", "password authentication failed for user \"app\""),
            (
                "28000",
                "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\"",
            ),
            ("42501", "permission denied for database \"shop\""),
        ] {
            let relayed = answer(code, message, None);
            assert!(relayed.is_poolers());
            assert_eq!(relayed.refusal(), None, "{message}");
        }
        // Its own words, by whichever code.
        let own = answer("28P01", "SASL authentication failed", None).refusal();
        assert_eq!(own, Some(Refused::Password));
        let translated = answer("28P01", "Passwort falsch", Some("auth_failed"));
        assert_eq!(translated.refusal(), Some(Refused::Password));
    }

    #[test]
    fn p8_a_code_that_is_none_is_not_repeated() {
        for (code, shown) in [
            ("28P01", "28P01"),
            ("\u{1b}[2JX", "malformed"),
            ("", "malformed"),
        ] {
            let answer = answer(code, "no", None);
            assert_eq!(answer.to_string(), format!("no (SQLSTATE {shown})"));
        }
    }

    #[test]
    fn p8_what_a_server_says_is_one_short_line_without_a_verifier() {
        assert_eq!(harmless("role \"a\nb\" exists"), "role \"a b\" exists");
        assert_eq!(harmless(&"x".repeat(1000)).len(), 200);
        let quoted = "syntax error at or near \"SCRAM-SHA-256$4096:abc\"";
        assert!(!harmless(quoted).contains("4096"));
    }
}
