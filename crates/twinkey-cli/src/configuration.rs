//! The configuration file: what a person would otherwise say on every command line.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::problem::Problem;

/// What the file says. Flags and variables come before it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) store: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
}

impl Configuration {
    /// This user's file: `twinkey/config.toml` in the XDG configuration directory. There need be none.
    pub(crate) fn load() -> Result<Self, Problem> {
        let Some(path) = xdg("XDG_CONFIG_HOME", ".config") else {
            return Ok(Self::default());
        };
        let path = path.join("twinkey/config.toml");
        let wrong = |reason: String| Problem::usage(format!("{}: {reason}", path.display()));
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(wrong),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Names what is wrong, and shows no value.
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|_| "is not TOML".to_owned())?;
        let mut configuration = Self::default();
        for (key, value) in &table {
            let place = match key.as_str() {
                "store" => &mut configuration.store,
                "key_file" => &mut configuration.key_file,
                _ => return Err(format!("unknown key {key}; it knows store and key_file")),
            };
            *place = Some(path(key, value)?);
        }
        Ok(configuration)
    }
}

/// A file is named in full: it is the same one wherever the command runs.
fn path(key: &str, value: &Value) -> Result<PathBuf, String> {
    let path = value.as_str().map(Path::new);
    let path = path.filter(|path| path.is_absolute() || (key == "store" && is_aws(path)));
    let expected = if key == "store" { " or aws" } else { "" };
    path.map(Path::to_owned)
        .ok_or_else(|| format!("{key} must be an absolute path{expected}, in quotes"))
}

/// The one name that is no file. A file that is really called so is `./aws`.
pub(crate) fn is_aws(store: &Path) -> bool {
    store.as_os_str() == "aws"
}

/// By the XDG base directory specification, version 0.8.
pub(crate) fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys_are_read_and_none_is_needed() {
        let read = Configuration::parse("store = \"aws\"\nkey_file = \"/k/a.key\"\n");
        let both = Configuration {
            store: Some("aws".into()),
            key_file: Some("/k/a.key".into()),
        };
        assert_eq!(read, Ok(both));
        assert_eq!(Configuration::parse(""), Ok(Configuration::default()));
    }

    #[test]
    fn p11_what_is_wrong_is_named_by_its_key_and_never_by_its_value() {
        for (text, named) in [
            ("stores = \"TEST\"", "unknown key stores"),
            ("store = 5", "store must be"),
            ("store = \"TEST/relative.db\"", "store must be"),
            ("key_file = \"aws\"", "key_file must be"),
            ("store = TEST", "not TOML"),
            ("[profile]\nstore = \"TEST\"", "unknown key profile"),
        ] {
            let told = Configuration::parse(text).expect_err(text);
            assert!(told.contains(named), "{told}");
            assert!(!told.contains("TEST"), "{told}");
        }
    }

    #[test]
    fn only_the_bare_word_means_secrets_manager() {
        assert!(is_aws(Path::new("aws")));
        for file in ["./aws", "aws/", "/s/aws", "aws.db", "AWS"] {
            assert!(!is_aws(Path::new(file)), "{file}");
        }
    }
}
