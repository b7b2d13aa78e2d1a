//! What an App can do with its installation: look at it, mint tokens for it, revoke them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::api_base::ApiBase;
use crate::app::App;
use crate::error::GithubError;
use crate::permissions::Permissions;
use crate::session::{Call, Session};

/// What a token is asked for; `None`: all that the installation has.
#[derive(Clone, Copy)]
pub(crate) struct Grant<'a> {
    pub(crate) permissions: Option<&'a Permissions>,
    pub(crate) repositories: Option<&'a BTreeSet<String>>,
}

/// GitHub's answer to a mint.
#[derive(Deserialize)]
pub(crate) struct Minted {
    #[serde(deserialize_with = "secret")]
    pub(crate) token: SecretString,
    pub(crate) expires_at: DateTime<Utc>,
    permissions: Option<Value>,
    repositories: Option<Vec<Repository>>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

#[derive(Deserialize)]
struct Repository {
    name: String,
}

#[derive(Deserialize)]
struct Installation {
    suspended_at: Option<DateTime<Utc>>,
    #[serde(default)]
    permissions: Value,
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    login: Option<String>,
}

#[derive(Deserialize)]
struct Identity {
    id: u64,
}

/// What became of a token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// By this, and GitHub was seen to refuse it afterwards.
    Now,
    /// GitHub refused it before.
    Before,
}

impl Session {
    /// Shows that the installation exists, works, and has what is asked for. Changes nothing.
    pub(crate) async fn look_at_installation(
        &self,
        app: &App,
        grant: Grant<'_>,
    ) -> Result<(), GithubError> {
        let call = Call {
            doing: "looking at the App's installation",
            method: "GET",
            base: &app.base,
            path: format!("/app/installations/{}", app.installation),
            body: None,
        };
        let answer = self.as_app(app, &call).await?;
        if answer.status != 200 {
            return Err(answer.refused_to_app());
        }
        let installation: Installation = answer.json()?;
        if installation.suspended_at.is_some() {
            return Err(GithubError::Suspended);
        }
        let granted = Permissions::known(&installation.permissions);
        if let Some(missing) = grant
            .permissions
            .and_then(|asked| asked.missing_from(&granted))
        {
            return Err(GithubError::PermissionMissing(missing));
        }
        let owner = installation.account.and_then(|account| account.login);
        for name in grant.repositories.into_iter().flatten() {
            let owner = owner.as_deref().ok_or_else(|| answer.unintelligible())?;
            self.look_at_repository(app, &format!("{owner}/{name}"))
                .await?;
        }
        Ok(())
    }

    /// Shows that the installation reaches a repository.
    async fn look_at_repository(&self, app: &App, repository: &str) -> Result<(), GithubError> {
        let call = Call {
            doing: "looking at a repository's installation",
            method: "GET",
            base: &app.base,
            path: format!("/repos/{repository}/installation"),
            body: None,
        };
        let answer = self.as_app(app, &call).await?;
        let reaches = match answer.status {
            200 => answer.json::<Identity>()?.id.to_string() == app.installation,
            404 => false,
            _ => return Err(answer.refused_to_app()),
        };
        if reaches {
            Ok(())
        } else {
            Err(GithubError::RepositoryMissing(repository.into()))
        }
    }

    /// Has a token minted. Not repeatable: an answer that does not come may have been one.
    pub(crate) async fn mint(&self, app: &App, grant: Grant<'_>) -> Result<Minted, GithubError> {
        let mut body = Map::new();
        if let Some(permissions) = grant.permissions {
            body.insert("permissions".into(), json!(permissions));
        }
        if let Some(repositories) = grant.repositories {
            body.insert("repositories".into(), json!(repositories));
        }
        let call = Call {
            doing: "minting an installation token",
            method: "POST",
            base: &app.base,
            path: format!("/app/installations/{}/access_tokens", app.installation),
            body: Some(body.into()),
        };
        let answer = self.as_app(app, &call).await?;
        match answer.status {
            201 => answer.json(),
            _ => Err(answer.refused_to_app()),
        }
    }

    /// Revokes a token by itself, and sees it refused. Repeatable.
    pub(crate) async fn revoke(
        &self,
        base: &ApiBase,
        token: &SecretString,
        is_young: bool,
    ) -> Result<Revoked, GithubError> {
        let call = Call {
            doing: "revoking an installation token",
            method: "DELETE",
            base,
            path: "/installation/token".into(),
            body: None,
        };
        let answer = self.with_token(&call, token, is_young).await?;
        match answer.status {
            204 => {}
            401 => return Ok(Revoked::Before),
            _ => return Err(answer.refused_to_token()),
        }
        let mut pauses = self.github.settings.pauses.iter();
        while self.use_token(base, token, false).await?.is_none() {
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(GithubError::StillAccepted(call.doing)),
            }
        }
        Ok(Revoked::Now)
    }

    /// Uses a token as its consumers do. `None`: GitHub accepts it; otherwise why it does not.
    pub(crate) async fn use_token(
        &self,
        base: &ApiBase,
        token: &SecretString,
        is_young: bool,
    ) -> Result<Option<String>, GithubError> {
        #[derive(Deserialize)]
        struct Reached {
            #[serde(rename = "total_count")]
            _total: u64,
        }
        let call = Call {
            doing: "using an installation token",
            method: "GET",
            base,
            path: "/installation/repositories?per_page=1".into(),
            body: None,
        };
        let answer = self.with_token(&call, token, is_young).await?;
        match answer.status {
            200 => answer.json::<Reached>().map(|_| None),
            401 => Ok(Some(answer.message().to_owned())),
            _ => Err(answer.refused_to_token()),
        }
    }
}

impl Minted {
    /// How this token differs from what was asked for.
    pub(crate) fn difference(&self, asked: Grant<'_>) -> Option<String> {
        if let Some(permissions) = asked.permissions {
            let granted = self.permissions.as_ref();
            let granted = granted.and_then(|value| Permissions::deserialize(value).ok());
            if granted.is_none_or(|granted| permissions.differ_from(&granted)) {
                return Some(format!("permissions other than {permissions}"));
            }
        }
        if let Some(repositories) = asked.repositories {
            let granted = self.repositories.iter().flatten();
            let granted: BTreeSet<_> = granted.map(|repository| repository.name.as_str()).collect();
            if !granted.iter().eq(repositories.iter()) {
                return Some("repositories other than those in the document".into());
            }
        }
        None
    }
}
