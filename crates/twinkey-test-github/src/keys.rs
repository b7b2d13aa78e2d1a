//! Deploy keys.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::state::{DeployKey, State, spelt};

const FORBIDDEN: &str = "Resource not accessible by integration";
const DISABLED: &str = "Deploy keys are disabled for this repository";

impl State {
    /// Who asks must reach the repository, and may at least do this with its keys.
    fn with_keys_of(
        &mut self,
        bearer: &str,
        repository: &str,
        levels: &[&str],
    ) -> Result<(), Reply> {
        let at = self.as_installation(bearer)?;
        let token = &self.tokens[at];
        if !self.reaches(&token.repositories, repository) {
            return Err(Reply::not_found());
        }
        match token
            .permissions
            .get("administration")
            .and_then(Value::as_str)
        {
            Some(level) if levels.contains(&level) => Ok(()),
            _ => Err(Reply::message(403, FORBIDDEN)),
        }
    }

    pub(crate) fn list_keys(
        &mut self,
        bearer: &str,
        repository: &str,
        (per_page, page): (usize, usize),
    ) -> Result<Reply, Reply> {
        self.with_keys_of(bearer, repository, &["read", "write"])?;
        let keys = self.keys.iter().filter(|key| key.repository == repository);
        let keys = keys.skip(per_page * page.saturating_sub(1)).take(per_page);
        let shown: Vec<Value> = keys.map(|key| self.shown(key)).collect();
        Ok(Reply::json(200, shown.into()))
    }

    pub(crate) fn show_key(
        &mut self,
        bearer: &str,
        repository: &str,
        id: &str,
    ) -> Result<Reply, Reply> {
        self.with_keys_of(bearer, repository, &["read", "write"])?;
        let at = self.key(repository, id)?;
        Ok(Reply::json(200, self.shown(&self.keys[at])))
    }

    pub(crate) fn add_key(
        &mut self,
        bearer: &str,
        repository: &str,
        body: &Value,
    ) -> Result<Reply, Reply> {
        self.with_keys_of(bearer, repository, &["write"])?;
        if !self.keys_allowed {
            return Err(Reply::message(422, DISABLED));
        }
        let invalid = |message| Reply::invalid("PublicKey", "key", message);
        let text = body["key"].as_str().ok_or_else(|| invalid("is missing"))?;
        let key = without_comment(text).ok_or_else(|| {
            invalid("key is invalid. You must supply a key in OpenSSH public key format")
        })?;
        if self.keys.iter().any(|it| it.key == key) {
            return Err(invalid("key is already in use"));
        }
        let key = DeployKey {
            id: self.id(),
            repository: repository.into(),
            key,
            title: body["title"].as_str().unwrap_or_default().into(),
            read_only: body["read_only"].as_bool().unwrap_or(false),
            enabled: true,
            last_used: None,
            created_at: self.now(),
        };
        let shown = self.shown(&key);
        self.keys.push(key);
        Ok(Reply::json(201, shown))
    }

    pub(crate) fn remove_key(
        &mut self,
        bearer: &str,
        repository: &str,
        id: &str,
    ) -> Result<Reply, Reply> {
        self.with_keys_of(bearer, repository, &["write"])?;
        let at = self.key(repository, id)?;
        self.keys.remove(at);
        Ok(Reply::empty(204))
    }

    fn key(&self, repository: &str, id: &str) -> Result<usize, Reply> {
        let found = |key: &DeployKey| key.repository == repository && key.id.to_string() == id;
        self.keys
            .iter()
            .position(found)
            .ok_or_else(Reply::not_found)
    }

    fn shown(&self, key: &DeployKey) -> Value {
        json!({
            "id": key.id,
            "key": key.key,
            "url": format!("https://api.github.com/repos/{}/keys/{}", key.repository, key.id),
            "title": key.title,
            "verified": true,
            "created_at": spelt(key.created_at),
            "read_only": key.read_only,
            "added_by": self.installation.login,
            "last_used": key.last_used.map(spelt),
            "enabled": key.enabled,
        })
    }
}

/// GitHub keeps the type and the key, and drops the comment.
fn without_comment(text: &str) -> Option<String> {
    let mut parts = text.split(' ');
    let (kind, key) = (parts.next()?, parts.next()?);
    let is_known = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"].contains(&kind);
    (is_known && key.starts_with("AAAA")).then(|| format!("{kind} {key}"))
}
