//! What must hold for every input, one function for each parser of others' texts.
//!
//! The fuzzer calls them through `bins`, `tests/fuzz_corpus.rs` with the corpus. They panic where
//! a promise is broken; an input that is refused is as good as one that is read.

mod admin_hosts;
mod github_answer;
mod github_document;
mod key_file;
mod policy_tags;
mod role_mark;
mod role_settings;
mod rotation_event;
mod rotation_record;
mod schedule;
mod sealed_row;
mod secret_document;
mod server_messages;
mod version_id;

pub use admin_hosts::admin_hosts;
pub use github_answer::github_answer;
pub use github_document::github_document;
pub use key_file::key_file;
pub use policy_tags::policy_tags;
pub use role_mark::role_mark;
pub use role_settings::role_settings;
pub use rotation_event::rotation_event;
pub use rotation_record::rotation_record;
pub use schedule::schedule;
pub use sealed_row::sealed_row;
pub use secret_document::secret_document;
pub use server_messages::server_messages;
pub use version_id::version_id;

/// One target: its name, which is its corpus's too, and what it does with one input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 14] = [
    ("admin_hosts", admin_hosts),
    ("github_answer", github_answer),
    ("github_document", github_document),
    ("key_file", key_file),
    ("policy_tags", policy_tags),
    ("role_mark", role_mark),
    ("role_settings", role_settings),
    ("rotation_event", rotation_event),
    ("rotation_record", rotation_record),
    ("schedule", schedule),
    ("sealed_row", sealed_row),
    ("secret_document", secret_document),
    ("server_messages", server_messages),
    ("version_id", version_id),
];

/// What marks a value that must not be shown. No message of ours has it in it.
const MARKER: &str = "TEST-";

/// A value that is told from every word of ours.
fn is_marked(value: &str) -> bool {
    value.starts_with(MARKER) && value.len() >= MARKER.len() + 4
}

/// An error for people: on one line, not endless, and never with the value in it. (P8)
fn assert_presentable(error: &str, secret: Option<&str>) {
    assert!(!error.is_empty(), "an error says something");
    assert!(!error.chars().any(char::is_control), "one line: {error:?}");
    if let Some(secret) = secret.filter(|secret| is_marked(secret)) {
        assert!(!error.contains(secret), "shows the value: {error}");
    }
}
