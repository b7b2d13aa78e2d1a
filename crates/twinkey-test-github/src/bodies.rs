//! What GitHub tells of an account, a repository and an installation: all that its description demands.

use serde_json::{Value, json};

use crate::state::{State, spelt};

const ACCOUNT: &str = include_str!("../bodies/account.json");
const REPOSITORY: &str = include_str!("../bodies/repository.json");

impl State {
    pub(crate) fn repository(&self, name: &str) -> Value {
        let owner = &self.installation.login;
        let text = REPOSITORY.replace("OWNER", owner).replace("NAME", name);
        let mut repository = parsed(&text);
        repository["owner"] = account(owner);
        repository
    }

    pub(crate) fn installation_body(&self) -> Value {
        let installation = &self.installation;
        let (id, login) = (installation.id, &installation.login);
        let app: u64 = self.app.id.parse().expect("a number");
        json!({
            "id": id,
            "account": account(login),
            "repository_selection": "selected",
            "access_tokens_url": format!("https://api.github.com/app/installations/{id}/access_tokens"),
            "repositories_url": "https://api.github.com/installation/repositories",
            "html_url": format!("https://github.com/organizations/{login}/settings/installations/{id}"),
            "app_id": app,
            "client_id": self.app.client_id,
            "app_slug": "test-app",
            "target_id": 1,
            "target_type": "Organization",
            "permissions": installation.permissions,
            "events": [],
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "single_file_name": null,
            "suspended_by": installation.suspended_at.map(|_| account(login)),
            "suspended_at": installation.suspended_at.map(spelt),
        })
    }
}

fn account(login: &str) -> Value {
    parsed(&ACCOUNT.replace("LOGIN", login))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
