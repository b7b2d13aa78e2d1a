//! What can be wrong with one call.

/// What happens to the next call of an operation, instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// `ThrottlingException`. Nothing changed.
    Throttle,
    /// `AccessDeniedException` in AWS's words, naming action and resource. Nothing changed.
    Deny,
    /// `AccessDeniedException` because of the KMS key. Nothing changed.
    DenyKms,
    /// `EncryptionFailure` or `DecryptionFailure`: the KMS key is disabled, say. Nothing changed.
    BrokenKms,
    /// `ExpiredTokenException`: the caller's credentials are too old. Nothing changed.
    ExpiredCredentials,
    /// `InternalServiceError`. Nothing changed, but the caller cannot know.
    Break,
    /// `ValidationException` that quotes the request's body. Nothing changed.
    Quote,
    /// An answer that is no JSON.
    Garble,
    /// No answer at all, ever. Nothing changed.
    Hang,
    /// The connection is closed before anything changed.
    DropBefore,
    /// The connection is closed after everything changed: the reply is lost.
    DropAfter,
}
