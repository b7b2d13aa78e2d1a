//! Which store is meant: the flag, then the variable, then the configuration file, then this user's own.

use std::path::PathBuf;

use crate::arguments::Place;
use crate::configuration::{Configuration, is_aws, xdg};
use crate::problem::Problem;

/// Which store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// Secrets Manager.
    Aws,
    /// A file on this machine.
    Embedded(Files),
}

/// The files of an embedded store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) store: PathBuf,
    /// Named, or beside the store.
    pub(crate) key_file: PathBuf,
}

impl Location {
    pub(crate) fn find(place: &Place, configuration: Configuration) -> Result<Self, Problem> {
        let store = place.store.clone().or(configuration.store);
        let store = store.or_else(|| Some(xdg("XDG_DATA_HOME", ".local/share")?.join(DEFAULT)));
        let store = store.ok_or_else(|| {
            Problem::usage("there is no home directory to keep the store in")
                .with_hint("name its file: --store FILE")
        })?;
        if is_aws(&store) {
            return Ok(Self::Aws);
        }
        let named = place.key_file.clone().or(configuration.key_file);
        let key_file = named.unwrap_or_else(|| store.with_extension("key"));
        Ok(Self::Embedded(Files { store, key_file }))
    }
}

const DEFAULT: &str = "twinkey/store.db";

#[cfg(test)]
mod tests {
    use super::*;

    fn find(place: [Option<&str>; 2], file: [Option<&str>; 2]) -> Location {
        let [store, key_file] = place.map(|path| path.map(PathBuf::from));
        let place = Place { store, key_file };
        let [store, key_file] = file.map(|path| path.map(PathBuf::from));
        let configuration = Configuration { store, key_file };
        Location::find(&place, configuration).expect("a location")
    }

    fn files(store: &str, key_file: &str) -> Location {
        Location::Embedded(Files {
            store: store.into(),
            key_file: key_file.into(),
        })
    }

    #[test]
    fn a_flag_or_variable_comes_before_the_file() {
        let nothing = [None, None];
        assert_eq!(find(nothing, [Some("aws"), None]), Location::Aws);
        assert_eq!(find([Some("aws"), None], [Some("/b"), None]), Location::Aws);
        let own = find([Some("/s/a.db"), None], [Some("aws"), None]);
        assert_eq!(own, files("/s/a.db", "/s/a.key"));
        let shared = find([Some("/s/a.db"), None], [None, Some("/k/b.key")]);
        assert_eq!(shared, files("/s/a.db", "/k/b.key"));
        let named = find([None, Some("/k/a.key")], [Some("/b.db"), Some("/k/b.key")]);
        assert_eq!(named, files("/b.db", "/k/a.key"));
    }
}
