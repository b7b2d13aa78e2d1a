//! The command line: an interface, decided once.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use twinkey_core::policy;

/// Rotates credentials and keeps exactly two keys live: the one consumers read now, and the one
/// they may still hold.
#[derive(Debug, Parser)]
#[command(name = "twinkey", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the store is, as far as flags and variables say.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The embedded store's file, or aws: Secrets Manager, by AWS's own variables and profiles
    /// [default: ~/.local/share/twinkey/store.db]
    #[arg(long, global = true, env = "TWINKEY_STORE", value_name = "FILE|aws")]
    pub(crate) store: Option<PathBuf>,
    /// The file with the key that an embedded store is locked with [default: the store's path with
    /// .key]
    #[arg(long, global = true, env = "TWINKEY_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a store, and the key file that it is locked with
    Init(Init),
    /// Store a secret document; it becomes AWSCURRENT
    Put(Put),
    /// Set policy: twinkey:schedule, twinkey:min-overlap, twinkey:in-use, twinkey:hold-limit, or tags of
    /// your own
    Tag(Tag),
    /// Remove tags
    Untag(Untag),
    /// Print a secret document, or one field of it
    Get(Get),
    /// Show which secrets there are
    List(Output),
    /// Rotate one secret now: four steps, then which keys are live
    Rotate(Rotate),
    /// Look at a Postgres secret's roles before the first rotation: what they are, own and may, what is in
    /// the way, and the SQL that mends it. Changes nothing unless told to
    Adopt(Adopt),
    /// End the sessions at a Postgres server that were opened with keys that are dead now, and no others
    EndSessions(EndSessions),
    /// Show versions, ages, which keys are live as their server says now, and what is due
    Status(Status),
    /// Look at what the templates have made on AWS, and say what is missing. Changes nothing
    DeployCheck(DeployCheck),
    /// Stay in the foreground and rotate whatever is due, until SIGTERM or Ctrl-C
    Run,
}

impl Command {
    /// Whether results and errors are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::List(output) => output.json,
            Self::Rotate(rotate) => rotate.output.json,
            Self::Adopt(adopt) => adopt.output.json,
            Self::EndSessions(end) => end.output.json,
            Self::Status(status) => status.output.json,
            Self::DeployCheck(check) => check.output.json,
            _ => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Lock it by a key of AWS KMS (an id, an ARN or alias/…) instead: there is no key file
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The secret's name
    pub(crate) name: String,
    /// The document; - reads standard input. A value is never an argument
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: PathBuf,
    /// A tag to set with it
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// The secret's name
    pub(crate) name: String,
    /// For example: 'twinkey:schedule=rate(30 days)' twinkey:min-overlap=1h
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Untag {
    /// The secret's name
    pub(crate) name: String,
    /// The tags' keys
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The secret's name
    pub(crate) name: String,
    /// The version with this label
    #[arg(
        long,
        value_name = "LABEL",
        default_value = "AWSCURRENT",
        conflicts_with = "version"
    )]
    pub(crate) stage: String,
    /// The version with this id
    #[arg(long, value_name = "ID")]
    pub(crate) version: Option<String>,
    /// Only this field of the document
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The secret's name
    pub(crate) name: String,
    /// Why; kept in the rotation's record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Waive the minimum overlap: consumers that cache may lose their key
    #[arg(long, requires = "reason")]
    pub(crate) force: bool,
    /// On AWS, for a secret without a rotation function: run the steps here, by your own rights
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) here: bool,
    /// On AWS: how long to follow the rotation; it goes on without us [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// The secret's name
    pub(crate) name: String,
    /// Run the SQL as the admin, each database's in one transaction, and show what was run
    #[arg(long)]
    pub(crate) apply: bool,
    /// Print a script for psql and nothing else, for somebody with more rights than the admin
    #[arg(long, conflicts_with_all = ["apply", "json"])]
    pub(crate) sql: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct EndSessions {
    /// The secret's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The secret's name; all of them without it
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct DeployCheck {
    /// What all that was deployed begins with: the templates' Name
    #[arg(long, value_name = "NAME", default_value = "twinkey", value_parser = deployed)]
    pub(crate) name: String,
    /// The alias of the key that signs for the GitHub App; empty where a secret holds that key
    #[arg(long, value_name = "ALIAS", default_value = "alias/twinkey-github-app", value_parser = alias)]
    pub(crate) signing_alias: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// As the templates take it.
fn deployed(name: &str) -> Result<String, String> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let is_known = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    if begins && name.len() <= 32 && name.chars().all(is_known) {
        return Ok(name.into());
    }
    Err("write at most 32 lower-case letters, digits and hyphens, the first a letter".into())
}

fn alias(name: &str) -> Result<String, String> {
    let is_known = |it: char| it.is_ascii_alphanumeric() || "/_-".contains(it);
    let rest = name.strip_prefix("alias/");
    if name.is_empty() || rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_known)) {
        return Ok(name.into());
    }
    Err("write alias/NAME, or nothing: ''".into())
}

/// A reason is for people who read the record later: it says something, on one line.
fn reason(text: &str) -> Result<String, String> {
    let says_something = !text.trim().is_empty();
    if says_something && text.len() <= 1000 && !text.contains(char::is_control) {
        return Ok(text.into());
    }
    Err("write one line of at most 1000 bytes".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let length = policy::duration(text)?;
    length.to_std().map_err(|_| "it is out of range".into())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write KEY=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_script_is_printed_and_nothing_else_is_done() {
        for other in ["--apply", "--json"] {
            let parsed = Arguments::try_parse_from(["twinkey", "adopt", "db", "--sql", other]);
            assert!(parsed.is_err(), "{other}");
        }
        Arguments::try_parse_from(["twinkey", "adopt", "db", "--apply", "--json"]).unwrap();
    }

    #[test]
    fn a_deployment_is_named_as_the_templates_take_it() {
        let parse = |flag: &str, value: &str| {
            Arguments::try_parse_from(["twinkey", "deploy-check", flag, value]).is_ok()
        };
        for right in ["twinkey", "a", "shop-keys-2"] {
            assert!(parse("--name", right), "{right}");
        }
        for wrong in ["", "Twinkey", "2keys", "a_b", &"a".repeat(33)] {
            assert!(!parse("--name", wrong), "{wrong}");
        }
        for right in ["", "alias/TEST", "alias/acme/app_1"] {
            assert!(parse("--signing-alias", right), "{right}");
        }
        for wrong in ["TEST", "alias/", "alias/a b"] {
            assert!(!parse("--signing-alias", wrong), "{wrong}");
        }
    }

    #[test]
    fn p9_force_needs_a_reason() {
        let parsed = Arguments::try_parse_from(["twinkey", "rotate", "db", "--force"]);
        assert!(parsed.is_err());
        for empty in ["", " ", "two\nlines"] {
            let parsed = Arguments::try_parse_from([
                "twinkey", "rotate", "db", "--force", "--reason", empty,
            ]);
            assert!(parsed.is_err(), "{empty:?}");
        }
        Arguments::try_parse_from(["twinkey", "rotate", "db", "--force", "--reason", "leaked"])
            .unwrap();
    }
}
