//! Installations and their tokens.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::reply::Reply;
use crate::state::{LIFETIME, State, Token, spelt};

const NOT_GRANTED: &str = "The permissions requested are not granted to this installation.";
const NOT_REACHED: &str = "There is at least one repository that does not exist or is not accessible to the parent installation.";

fn rank(level: Option<&Value>) -> usize {
    let level = level.and_then(Value::as_str).unwrap_or_default();
    let known = ["read", "write", "admin"];
    known
        .iter()
        .position(|it| *it == level)
        .map_or(0, |at| at + 1)
}

impl State {
    pub(crate) fn installation(&self, bearer: &str, id: &str) -> Result<Reply, Reply> {
        self.as_app(bearer)?;
        if id != self.installation.id.to_string() {
            return Err(Reply::not_found());
        }
        Ok(Reply::json(200, self.installation_body()))
    }

    /// The installation that reaches a repository.
    pub(crate) fn installation_of(&self, bearer: &str, repository: &str) -> Result<Reply, Reply> {
        self.as_app(bearer)?;
        if !self.reaches(&self.installation.repositories, repository) {
            return Err(Reply::not_found());
        }
        Ok(Reply::json(200, self.installation_body()))
    }

    pub(crate) fn reaches(&self, names: &BTreeSet<String>, repository: &str) -> bool {
        let name = repository.strip_prefix(&format!("{}/", self.installation.login));
        name.is_some_and(|name| names.contains(name))
    }

    pub(crate) fn mint(&mut self, bearer: &str, id: &str, body: &Value) -> Result<Reply, Reply> {
        self.as_app(bearer)?;
        if id != self.installation.id.to_string() {
            return Err(Reply::not_found());
        }
        self.unless_suspended()?;
        let mut permissions = self.asked_permissions(body)?;
        let repositories = self.asked_repositories(body)?;
        if let Some((name, level)) = self.also_granted {
            permissions.insert(name.into(), level.into());
        }
        permissions.entry("metadata").or_insert("read".into());
        let token = Token {
            value: self.value(),
            expires_at: self.now() + LIFETIME,
            revoked: false,
            permissions: permissions.into(),
            unknown_for: self.lag,
            repositories: repositories
                .clone()
                .unwrap_or_else(|| self.installation.repositories.clone()),
        };
        let mut answer = json!({
            "token": token.value,
            "expires_at": spelt(token.expires_at),
            "permissions": token.permissions,
            "repository_selection": if repositories.is_some() { "selected" } else { "all" },
        });
        if let Some(names) = repositories {
            let repositories: Vec<Value> = names.iter().map(|name| self.repository(name)).collect();
            answer["repositories"] = repositories.into();
        }
        self.tokens.push(token);
        self.most_live = self.most_live.max(self.live().len());
        Ok(Reply::json(201, answer))
    }

    fn asked_permissions(&self, body: &Value) -> Result<Map<String, Value>, Reply> {
        let granted = &self.installation.permissions;
        let asked = body.get("permissions").unwrap_or(granted).as_object();
        let asked = asked.ok_or_else(|| Reply::message(422, "permissions is not an object"))?;
        let is_granted = |(name, level): (&String, &Value)| {
            rank(Some(level)) > 0 && rank(granted.get(name)) >= rank(Some(level))
        };
        if asked.iter().all(is_granted) {
            Ok(asked.clone())
        } else {
            Err(Reply::message(422, NOT_GRANTED))
        }
    }

    fn asked_repositories(&self, body: &Value) -> Result<Option<BTreeSet<String>>, Reply> {
        let Some(asked) = body.get("repositories") else {
            return Ok(None);
        };
        let asked = asked.as_array().into_iter().flatten();
        let names: Option<BTreeSet<String>> =
            asked.map(|it| it.as_str().map(str::to_owned)).collect();
        match names.filter(|names| !names.is_empty()) {
            Some(names) if names.is_subset(&self.installation.repositories) => Ok(Some(names)),
            _ => Err(Reply::message(422, NOT_REACHED)),
        }
    }

    pub(crate) fn list_repositories(
        &mut self,
        bearer: &str,
        per_page: usize,
    ) -> Result<Reply, Reply> {
        let at = self.as_installation(bearer)?;
        let names = &self.tokens[at].repositories;
        let shown: Vec<Value> = names
            .iter()
            .take(per_page)
            .map(|name| self.repository(name))
            .collect();
        Ok(Reply::json(
            200,
            json!({"total_count": names.len(), "repository_selection": "selected", "repositories": shown}),
        ))
    }

    pub(crate) fn revoke(&mut self, bearer: &str) -> Result<Reply, Reply> {
        let at = self.as_installation(bearer)?;
        self.tokens[at].revoked = true;
        Ok(Reply::empty(204))
    }
}
