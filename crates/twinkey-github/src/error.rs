//! Everything that can go wrong, each with a stable code, a sentence and a way out.

use chrono::TimeDelta;
use twinkey_core::{DocumentError, ErrorKind, ProviderError, SecretId, StoreError, policy};

use crate::api_base::ApiBase;
use crate::http::HttpError;
use crate::settings::API;

/// What this provider's errors are before the engine sees them.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum GithubError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("{0} is not among the places where GitHub's API may be")]
    BaseNotAllowed(ApiBase),
    #[error("reading the App's private key: {0}")]
    AppKeyUnread(StoreError),
    #[error("the secret {secret}, which should hold the App's private key: {problem}")]
    AppKeyUnusable {
        secret: SecretId,
        problem: &'static str,
    },
    #[error("signing as the App by {key}: {error}")]
    NotSigned { key: String, error: StoreError },
    #[error("{doing} at {base}: {error}")]
    NoAnswer {
        doing: &'static str,
        base: String,
        error: HttpError,
    },
    #[error("{doing}: GitHub failed with status {status}")]
    ServerFailed { doing: &'static str, status: u16 },
    #[error("{doing}: GitHub's answer of status {status} was not understood")]
    Unintelligible { doing: &'static str, status: u16 },
    #[error("{doing}: GitHub's list does not end")]
    Endless { doing: &'static str },
    #[error("{doing}: too many requests; GitHub asks to come back in {}", policy::spell(*wait))]
    RateLimited {
        doing: &'static str,
        wait: TimeDelta,
    },
    #[error("{doing}: GitHub says that it is elsewhere now")]
    Moved { doing: &'static str },
    #[error("GitHub refuses the App's signature: {message}")]
    AppRefused { message: String },
    #[error("the App has no such installation")]
    InstallationMissing,
    #[error("the App's installation is suspended")]
    Suspended,
    #[error("the installation does not grant {0}")]
    PermissionMissing(String),
    #[error("the installation does not reach the repository {0}")]
    RepositoryMissing(String),
    #[error("GitHub mints no such token: {message}")]
    NotGranted { message: String },
    #[error(
        "GitHub minted a token that may do something else than was asked ({what}); it was revoked again"
    )]
    GrantDiffers { what: String },
    #[error("{doing}: the token is refused: {message}")]
    TokenRefused {
        doing: &'static str,
        message: String,
    },
    #[error("{doing}: forbidden: {message}")]
    Forbidden {
        doing: &'static str,
        message: String,
    },
    #[error("{doing}: there is nothing there, or it may not be seen")]
    NotFound { doing: &'static str },
    #[error("{doing}: rejected: {message}")]
    Rejected {
        doing: &'static str,
        message: String,
    },
    #[error("{0}: GitHub still accepts the key that was taken away")]
    StillAccepted(&'static str),
    #[error("the public key is registered elsewhere at GitHub: one key is for one repository")]
    KeyInUse,
    #[error("the organization or enterprise does not let this repository have deploy keys: {0}")]
    DeployKeysDisabled(String),
    #[error("{}", .0.message)]
    LastLook(ProviderError),
    #[error("installation tokens are not listed, so no listed one can be retired")]
    NotListed,
}

impl GithubError {
    /// Whether GitHub may have done what it was asked, though no answer says so.
    pub(crate) fn may_have_acted(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer { .. } | Self::ServerFailed { .. } | Self::Unintelligible { .. }
        )
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::AppKeyUnread(error) | Self::NotSigned { error, .. } => {
                ProviderError::from(error.clone()).kind
            }
            Self::LastLook(error) => error.kind,
            Self::NoAnswer { error, .. } => match error {
                HttpError::NoAnswer(_) => ErrorKind::Transient,
                HttpError::Tls(_) | HttpError::Unusable(_) => ErrorKind::Unusable,
            },
            Self::ServerFailed { .. }
            | Self::Unintelligible { .. }
            | Self::Endless { .. }
            | Self::StillAccepted(_) => ErrorKind::Transient,
            Self::RateLimited { .. } => ErrorKind::Busy,
            Self::AppRefused { .. }
            | Self::InstallationMissing
            | Self::Suspended
            | Self::PermissionMissing(_)
            | Self::RepositoryMissing(_)
            | Self::NotGranted { .. }
            | Self::TokenRefused { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::DeployKeysDisabled(_) => ErrorKind::Denied,
            Self::KeyInUse => ErrorKind::Conflict,
            Self::Document(_)
            | Self::BaseNotAllowed(_)
            | Self::AppKeyUnusable { .. }
            | Self::Moved { .. }
            | Self::GrantDiffers { .. }
            | Self::Rejected { .. }
            | Self::NotListed => ErrorKind::Unusable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Document(_) => "InvalidDocument",
            Self::BaseNotAllowed(_) => "ApiBaseNotAllowed",
            Self::AppKeyUnread(_) => "AppKeyUnread",
            Self::AppKeyUnusable { .. } => "AppKeyUnusable",
            Self::NotSigned { .. } => "AppNotSigned",
            Self::NoAnswer { error, .. } => match error {
                HttpError::Tls(_) => "TlsFailed",
                HttpError::NoAnswer(_) | HttpError::Unusable(_) => "ServerUnreachable",
            },
            Self::ServerFailed { .. } => "ServerFailed",
            Self::Unintelligible { .. } | Self::Endless { .. } => "UnintelligibleAnswer",
            Self::RateLimited { .. } => "RateLimited",
            Self::Moved { .. } => "Moved",
            Self::AppRefused { .. } => "AppRefused",
            Self::InstallationMissing => "InstallationMissing",
            Self::Suspended => "InstallationSuspended",
            Self::PermissionMissing(_) | Self::NotGranted { .. } => "PermissionMissing",
            Self::RepositoryMissing(_) => "RepositoryMissing",
            Self::GrantDiffers { .. } => "GrantDiffers",
            Self::TokenRefused { .. } => "TokenRefused",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } => "NotFound",
            Self::Rejected { .. } => "RequestRejected",
            Self::StillAccepted(_) => "StillAccepted",
            Self::KeyInUse => "KeyInUse",
            Self::DeployKeysDisabled(_) => "DeployKeysDisabled",
            Self::LastLook(error) => error.code,
            Self::NotListed => "NotListed",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BaseNotAllowed(base) => {
                return Some(format!(
                    "if it is yours, allow it where this runs: {API}={base}"
                ));
            }
            Self::AppKeyUnusable { .. } => {
                "put the PEM file as GitHub gave it: twinkey put NAME --from-file key.pem"
            }
            Self::NotSigned { .. } => {
                "the caller needs kms:Sign with RSASSA_PKCS1_V1_5_SHA_256 on the key that the alias names"
            }
            Self::NoAnswer {
                error: HttpError::Tls(_),
                ..
            } => {
                "if it is a server with an authority of its own: TWINKEY_CA_BUNDLE=/path/to/ca.pem"
            }
            Self::AppRefused { .. } => {
                "see whether app_id and the private key are of one App, and whether this machine's clock is right"
            }
            Self::InstallationMissing => {
                "see whether installation_id is one of the App's: the number in the URL of its settings"
            }
            Self::Suspended => {
                "lift the suspension where the App is installed: Settings, GitHub Apps"
            }
            Self::PermissionMissing(_) | Self::NotGranted { .. } => {
                "give the App the permission and have the installation's owner accept it, or ask for less"
            }
            Self::RepositoryMissing(_) => {
                "let the installation reach the repository, or correct its name"
            }
            Self::GrantDiffers { .. } => "ask in the document for exactly what the App may give",
            Self::Forbidden { .. } => {
                "see GitHub's reason: a permission, an allow list of addresses, single sign-on"
            }
            Self::NotFound { .. } => {
                "see whether the repository exists and the App has the permission administration: write there"
            }
            Self::Moved { .. } => {
                "a secret stays with its repository: make another one for where it is now"
            }
            Self::KeyInUse => "rotate again: the next key is another one",
            Self::DeployKeysDisabled(_) => {
                "allow deploy keys in the organization's settings, or use an installation token"
            }
            _ => return None,
        };
        Some(hint.into())
    }

    fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::RateLimited { wait, .. } => Some(*wait),
            _ => None,
        }
    }
}

impl From<GithubError> for ProviderError {
    fn from(error: GithubError) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
            retry_after: error.retry_after(),
        }
    }
}
