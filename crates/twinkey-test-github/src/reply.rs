//! Answers, in GitHub's words.

use serde_json::{Value, json};

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            headers: Vec::new(),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            headers: Vec::new(),
        }
    }

    /// A refusal in GitHub's form.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        Self::json(
            status,
            json!({"message": message, "documentation_url": documentation, "status": status.to_string()}),
        )
    }

    pub(crate) fn not_found() -> Self {
        Self::message(404, "Not Found")
    }

    /// A field that is wrong.
    pub(crate) fn invalid(resource: &str, field: &str, message: &str) -> Self {
        let error =
            json!({"resource": resource, "code": "custom", "field": field, "message": message});
        let documentation = "https://docs.github.com/rest";
        Self::json(
            422,
            json!({"message": "Validation Failed", "errors": [error], "documentation_url": documentation}),
        )
    }
}
