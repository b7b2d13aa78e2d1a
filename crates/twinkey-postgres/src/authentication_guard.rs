//! Watches what a server asks for before it is answered: a password in clear is never sent, and a
//! server that asks for nothing proves nothing. A token by IAM is no password: whoever has it can use
//! it for minutes, for one role at one server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Longer messages have no place before the end of a login. The driver makes room for what a
/// message says it has, up to 2 GiB, before any of it has arrived.
const LONGEST: usize = 64 * 1024;
/// The client computes as many rounds as the server says, and cannot be interrupted meanwhile.
const MOST_ITERATIONS: u64 = 1_000_000;

/// How a server wanted to authenticate us, where we do not let it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it asks for the password in clear")]
    Cleartext,
    #[error("it asks for an MD5 hash over a connection without TLS")]
    Md5,
    #[error("it asks for no password (trust), so that a login proves nothing")]
    Trust,
    #[error("it offers no channel binding, which the document requires")]
    Unbound,
    #[error("it asks for a password, and the document has none")]
    NoPassword,
    #[error("it asks for {0}, where a password was expected")]
    Method(&'static str),
    #[error("it asks for {0} rounds of hashing")]
    Iterations(u64),
    #[error("it does not speak Postgres's protocol")]
    Malformed,
}

/// What a server may ask for, by how the login is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Without TLS: SCRAM.
    Plain,
    /// Over verified TLS: SCRAM, or an MD5 hash.
    Tls,
    /// Over verified TLS: SCRAM that is bound to it.
    Bound,
    /// Over verified TLS: nothing further, once a client certificate was presented; and what else
    /// is asked over TLS, if there is a password.
    Certificate { presented: bool, password: bool },
    /// Over verified TLS: a token by IAM, in clear.
    Token,
}

impl Terms {
    /// The same, once it is known whether the server has asked for a client certificate.
    pub(crate) fn after_handshake(self, presented: bool) -> Self {
        match self {
            Self::Certificate { password, .. } => Self::Certificate {
                presented,
                password,
            },
            other => other,
        }
    }

    fn allow_nothing(self) -> bool {
        matches!(
            self,
            Self::Certificate {
                presented: true,
                ..
            }
        )
    }

    /// A password's hash may be asked for.
    fn check_password(self) -> Result<(), Refusal> {
        match self {
            Self::Certificate {
                password: false, ..
            } => Err(Refusal::NoPassword),
            _ => Ok(()),
        }
    }

    fn check_md5(self) -> Result<(), Refusal> {
        match self {
            Self::Plain => Err(Refusal::Md5),
            Self::Bound => Err(Refusal::Unbound),
            _ => self.check_password(),
        }
    }

    fn check_sasl(self, mechanisms: &[u8]) -> Result<(), Refusal> {
        let offers = |name: &[u8]| mechanisms.split(|byte| *byte == 0).any(|it| it == name);
        match (offers(b"SCRAM-SHA-256"), offers(b"SCRAM-SHA-256-PLUS")) {
            (false, false) => Err(Refusal::Method("SASL without SCRAM-SHA-256")),
            (true, false) if self == Self::Bound => Err(Refusal::Unbound),
            _ => self.check_password(),
        }
    }
}

/// A stream that fails before an answer could be given to a question it does not allow.
pub(crate) struct Guard<S> {
    inner: S,
    screening: Option<Screening>,
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S, terms: Terms) -> Self {
        Self {
            inner,
            screening: Some(Screening::new(terms)),
        }
    }
}

/// The state of one login.
pub(crate) struct Screening {
    terms: Terms,
    /// Whether the server has made us show the password, in a way that we allow.
    earned: bool,
    /// Whether the server has let us in; it still tells its settings.
    admitted: bool,
    unread: Vec<u8>,
}

/// Message formats: <https://www.postgresql.org/docs/current/protocol-message-formats.html>
impl Screening {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            earned: false,
            admitted: false,
            unread: Vec::new(),
        }
    }

    /// Takes what has arrived; `true` once the login is complete: the server waits for a query.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<bool, Refusal> {
        self.unread.extend_from_slice(bytes);
        while let Some(message) = self.next_message()? {
            match message[0] {
                b'R' => self.judge(&message[5..])?,
                b'Z' if self.admitted => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    /// The next message, once it is complete: nobody acts upon a part of one.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let Some((header, _)) = self.unread.split_first_chunk::<5>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(4..LONGEST).contains(&length) {
            return Err(Refusal::Malformed);
        }
        if self.unread.len() <= length {
            return Ok(None);
        }
        let rest = self.unread.split_off(length + 1);
        Ok(Some(std::mem::replace(&mut self.unread, rest)))
    }

    fn judge(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (code, rest) = body.split_first_chunk().ok_or(Refusal::Malformed)?;
        match u32::from_be_bytes(*code) {
            0 if self.earned || self.terms.allow_nothing() => self.admitted = true,
            0 => return Err(Refusal::Trust),
            2 => return Err(Refusal::Method("Kerberos")),
            3 if self.terms == Terms::Token => self.earned = true,
            3 => return Err(Refusal::Cleartext),
            5 => {
                self.terms.check_md5()?;
                self.earned = true;
            }
            6 => return Err(Refusal::Method("SCM credentials")),
            7 | 8 => return Err(Refusal::Method("GSSAPI")),
            9 => return Err(Refusal::Method("SSPI")),
            10 => self.terms.check_sasl(rest)?,
            11 => few_iterations(rest)?,
            // The client checks the server's signature in it before it goes on.
            12 => self.earned = true,
            _ => return Err(Refusal::Method("an unknown method")),
        }
        Ok(())
    }
}

/// RFC 5802: `r=…,s=…,i=…`
fn few_iterations(challenge: &[u8]) -> Result<(), Refusal> {
    let iterations = challenge
        .split(|byte| *byte == b',')
        .find_map(|part| part.strip_prefix(b"i="))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .ok_or(Refusal::Malformed)?;
    if iterations > MOST_ITERATIONS {
        return Err(Refusal::Iterations(iterations));
    }
    Ok(())
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if let Some(screening) = &mut self.screening {
            match screening.feed(&buffer.filled()[before..]) {
                Ok(true) => self.screening = None,
                Ok(false) => {}
                Err(refusal) => return Poll::Ready(Err(io::Error::other(refusal))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Guard<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";

    fn message(code: u32, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(rest.len() + 8).expect("short");
        let mut bytes = vec![b'R'];
        bytes.extend(length.to_be_bytes());
        bytes.extend(code.to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn screen(over_tls: bool, messages: &[Vec<u8>]) -> Result<bool, Refusal> {
        screen_by(if over_tls { Terms::Tls } else { Terms::Plain }, messages)
    }

    fn screen_by(terms: Terms, messages: &[Vec<u8>]) -> Result<bool, Refusal> {
        let mut screening = Screening::new(terms);
        let mut over = false;
        // Byte by byte: a server may cut its messages wherever it likes.
        for byte in messages.concat() {
            over = over || screening.feed(&[byte])?;
        }
        Ok(over)
    }

    #[test]
    fn a_scram_exchange_passes_with_and_without_tls() {
        let exchange = [
            message(10, b"SCRAM-SHA-256\0\0"),
            message(11, b"r=x,s=eA==,i=4096"),
            message(12, b"v=eA=="),
            message(0, b""),
            READY.to_vec(),
        ];
        assert_eq!(screen(true, &exchange), Ok(true));
        assert_eq!(screen(false, &exchange), Ok(true));
    }

    #[test]
    fn md5_passes_over_tls_only_and_cleartext_never() {
        let md5 = [message(5, b"salt"), message(0, b""), READY.to_vec()];
        assert_eq!(screen(true, &md5), Ok(true));
        assert_eq!(screen(false, &md5), Err(Refusal::Md5));
        for over_tls in [true, false] {
            let asked = screen(over_tls, &[message(3, b"")]);
            assert_eq!(asked, Err(Refusal::Cleartext));
        }
    }

    #[test]
    fn p6_a_server_that_asks_for_nothing_is_refused_at_every_point() {
        let cut_short = [message(10, b"SCRAM-SHA-256\0\0"), message(0, b"")];
        assert_eq!(screen(true, &cut_short), Err(Refusal::Trust));
        assert_eq!(screen(true, &[message(0, b"")]), Err(Refusal::Trust));
    }

    #[test]
    fn p6_a_server_may_ask_for_nothing_only_where_a_certificate_was_presented() {
        let nothing = [message(0, b""), READY.to_vec()];
        let by = |presented, password| Terms::Certificate {
            presented,
            password,
        };
        for password in [true, false] {
            assert_eq!(screen_by(by(true, password), &nothing), Ok(true));
            let unasked = screen_by(by(false, password), &nothing);
            assert_eq!(unasked, Err(Refusal::Trust));
        }
        for terms in [Terms::Plain, Terms::Tls, Terms::Bound] {
            assert_eq!(terms.after_handshake(true), terms);
            assert_eq!(screen_by(terms, &nothing), Err(Refusal::Trust));
        }
    }

    #[test]
    fn p8_only_a_token_is_shown_in_clear() {
        let asked = [message(3, b""), message(0, b""), READY.to_vec()];
        assert_eq!(screen_by(Terms::Token, &asked), Ok(true));
        let certificate = Terms::Certificate {
            presented: true,
            password: true,
        };
        for terms in [Terms::Plain, Terms::Tls, Terms::Bound, certificate] {
            assert_eq!(screen_by(terms, &asked), Err(Refusal::Cleartext));
        }
        // A server that does not want to see it lets anybody in.
        let nothing = screen_by(Terms::Token, &[message(0, b"")]);
        assert_eq!(nothing, Err(Refusal::Trust));
    }

    #[test]
    fn a_certificate_alone_answers_no_question_for_a_password() {
        let questions = [
            message(5, b"salt"),
            message(10, b"SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0"),
        ];
        for question in questions {
            let by = |password| Terms::Certificate {
                presented: true,
                password,
            };
            let question = [question];
            assert_eq!(screen_by(by(true), &question), Ok(false));
            assert_eq!(screen_by(by(false), &question), Err(Refusal::NoPassword));
        }
        let asked = screen_by(
            Terms::Certificate {
                presented: true,
                password: true,
            },
            &[message(3, b"")],
        );
        assert_eq!(asked, Err(Refusal::Cleartext));
    }

    #[test]
    fn where_binding_is_required_nothing_else_is_answered() {
        let bound = message(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        assert_eq!(screen_by(Terms::Bound, &[bound]), Ok(false));
        for (question, refusal) in [
            (message(10, b"SCRAM-SHA-256\0\0"), Refusal::Unbound),
            (message(5, b"salt"), Refusal::Unbound),
            (message(3, b""), Refusal::Cleartext),
            (message(0, b""), Refusal::Trust),
        ] {
            assert_eq!(screen_by(Terms::Bound, &[question]), Err(refusal));
        }
    }

    #[test]
    fn every_other_method_has_its_own_name() {
        let names: std::collections::BTreeSet<String> = [2, 6, 7, 9, 99]
            .into_iter()
            .map(|code| match screen(true, &[message(code, b"")]) {
                Err(refusal @ Refusal::Method(_)) => refusal.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names.len(), 5);
        let oauth = screen(true, &[message(10, b"OAUTHBEARER\0\0")]);
        assert_eq!(oauth, Err(Refusal::Method("SASL without SCRAM-SHA-256")));
    }

    #[test]
    fn a_server_cannot_make_us_count_for_hours() {
        let challenge = message(11, b"r=x,s=eA==,i=4294967295");
        let answer = screen(true, &[challenge]);
        assert_eq!(answer, Err(Refusal::Iterations(4_294_967_295)));
    }

    #[test]
    fn a_message_that_claims_to_be_huge_is_refused_until_the_login_is_complete() {
        let huge = b"S\x7f\xff\xff\xff".to_vec();
        let admitted = [message(5, b"salt"), message(0, b"")];
        let before = screen(true, std::slice::from_ref(&huge));
        assert_eq!(before, Err(Refusal::Malformed));
        let after = screen(true, &[admitted.concat(), huge]);
        assert_eq!(after, Err(Refusal::Malformed));
        assert_eq!(screen(true, &admitted), Ok(false));
        let not_yet = screen(true, &[READY.to_vec(), message(5, b"salt")]);
        assert_eq!(not_yet, Ok(false));
    }

    #[test]
    fn messages_around_the_authentication_do_not_matter_and_nonsense_does() {
        let notice = [
            b"N\0\0\0\x05x".to_vec(),
            message(5, b"salt"),
            message(0, b""),
            READY.to_vec(),
        ];
        assert_eq!(screen(true, &notice), Ok(true));
        let http = screen(true, &[b"HTTP/1.1 400 Bad Request".to_vec()]);
        assert_eq!(http, Err(Refusal::Malformed));
    }
}
