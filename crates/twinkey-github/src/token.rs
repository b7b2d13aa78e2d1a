//! Installation tokens: GitHub picks their value, and nobody can list them.

use async_trait::async_trait;
use chrono::TimeDelta;
use twinkey_core::{
    Issue, KeyLabel, Listing, Origin, Provider, ProviderError, Ready, Retired, Retiring,
    SecretAddress, Verdict,
};

use crate::TokenSecret;
use crate::error::GithubError;
use crate::installation::{Grant, Minted, Revoked};
use crate::session::Session;
use crate::token_document::Token;

/// How long a token lives: GitHub lets nobody choose.
/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app>
const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// How far GitHub's clock may be behind ours, and for how long a request that nobody waits for any more may still
/// lie about.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// Rotates installation tokens.
#[derive(Clone)]
pub struct TokenProvider {
    pub(crate) session: Session,
}

impl TokenSecret {
    fn grant(&self) -> Grant<'_> {
        Grant {
            permissions: self.permissions.as_ref(),
            repositories: self.repositories.as_ref(),
        }
    }
}

impl TokenProvider {
    async fn revoke(&self, secret: &TokenSecret) -> Result<Retired, GithubError> {
        let Some(key) = &secret.key else {
            return Ok(Retired::AlreadyGone);
        };
        let is_young = self.session.is_young(key.issued_at);
        match self
            .session
            .revoke(&secret.app.base, &key.value, is_young)
            .await
        {
            Ok(Revoked::Now) => Ok(Retired::Refused),
            Ok(Revoked::Before) => Ok(Retired::AlreadyGone),
            // GitHub is asked first: our clock may be ahead.
            Err(_) if key.expires_at + SLACK < self.session.now() => Ok(Retired::AlreadyGone),
            Err(error) => Err(error),
        }
    }

    async fn mint_as_asked(&self, current: &TokenSecret) -> Result<TokenSecret, GithubError> {
        let issued_at = self.session.now();
        let minted = self.session.mint(&current.app, current.grant()).await?;
        let next = current.with(&Token {
            value: minted.token.clone(),
            issued_at,
            expires_at: minted.expires_at,
        });
        let wrong = match (minted.difference(current.grant()), next) {
            (None, Ok(next)) => return Ok(next),
            (Some(what), _) => GithubError::GrantDiffers { what },
            (None, Err(error)) => error.into(),
        };
        self.take_back(current, &minted).await?;
        Err(wrong)
    }

    /// Revokes a token that is not what was asked for. Where that fails, it may be live.
    async fn take_back(&self, current: &TokenSecret, minted: &Minted) -> Result<(), GithubError> {
        let revoked = self
            .session
            .revoke(&current.app.base, &minted.token, true)
            .await;
        let unknown =
            GithubError::StillAccepted("revoking a token that is not as it was asked for");
        revoked.map(|_| ()).map_err(|_| unknown)
    }
}

#[async_trait]
impl Provider for TokenProvider {
    type Secret = TokenSecret;

    fn origin(&self) -> Origin<'_, TokenSecret> {
        Origin::Issued(self)
    }

    async fn ready(
        &self,
        current: &TokenSecret,
        _address: &SecretAddress,
    ) -> Result<Ready<TokenSecret>, ProviderError> {
        let look = self
            .session
            .look_at_installation(&current.app, current.grant());
        look.await?;
        Ok(current.clone().into())
    }

    async fn verify(&self, secret: &TokenSecret) -> Result<Verdict, ProviderError> {
        let Some(key) = &secret.key else {
            return Ok(Verdict::NoKey);
        };
        let is_young = self.session.is_young(key.issued_at);
        let used = self
            .session
            .use_token(&secret.app.base, &key.value, is_young);
        Ok(match used.await? {
            None => Verdict::Accepted,
            Some(reason) => Verdict::Refused { reason },
        })
    }

    async fn retire(&self, key: Retiring<'_, TokenSecret>) -> Result<Retired, ProviderError> {
        match key {
            Retiring::Secret(secret) => Ok(self.revoke(secret).await?),
            Retiring::Listed { .. } => Err(GithubError::NotListed.into()),
        }
    }

    async fn list(
        &self,
        _current: &TokenSecret,
        _address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        Ok(Listing::CannotList {
            dead_within: LIFETIME + SLACK,
        })
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        Some(LIFETIME)
    }
}

#[async_trait]
impl Issue<TokenSecret> for TokenProvider {
    async fn mint(
        &self,
        current: &TokenSecret,
        _label: &KeyLabel,
    ) -> Result<TokenSecret, ProviderError> {
        Ok(self.mint_as_asked(current).await?)
    }
}
