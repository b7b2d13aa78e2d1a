//! The wrapping key: a small text file that only its owner can read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::OpenError;
use crate::sealed::{Key, random_key};

const HEADER: &str = "twinkey wrapping key v1";
/// Far above what a key file holds, far below what would hurt.
const LONGEST: u64 = 4096;

/// Makes a new key file, readable by its owner alone, and makes sure it is on disk: a store
/// whose key was lost in a power cut would be lost with it.
pub(crate) fn create(path: &Path) -> Result<Key, OpenError> {
    let key = random_key().map_err(|_| {
        failed(
            "drawing random bytes for",
            path,
            io::Error::other("no randomness"),
        )
    })?;
    let text = Zeroizing::new(format!("{HEADER}\n{}\n", STANDARD.encode(key.as_slice())));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenError::KeyFileExists(path.to_owned()),
            _ => failed("creating", path, error),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_parent(path))
        .map_err(|error| failed("writing", path, error))?;
    Ok(key)
}

/// Reads a key file, provided that nobody but its owner can.
pub(crate) fn load(path: &Path) -> Result<Key, OpenError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::NoKeyFile(path.to_owned()),
        _ => failed("opening", path, error),
    })?;
    refuse_exposed(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| failed("reading", path, error))?;
    parse(&text).map_err(|reason| OpenError::KeyFileMalformed {
        path: path.to_owned(),
        reason,
    })
}

fn refuse_exposed(path: &Path, file: &File) -> Result<(), OpenError> {
    let metadata = file
        .metadata()
        .map_err(|error| failed("inspecting", path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    let for_others = mode & 0o077;
    if for_others == 0 {
        return Ok(());
    }
    Err(OpenError::KeyFileExposed {
        path: path.to_owned(),
        mode,
    })
}

pub(crate) fn parse(text: &str) -> Result<Key, &'static str> {
    let (header, body) = text.split_once('\n').ok_or("it has one line only")?;
    if header.trim_end() != HEADER {
        return Err("its first line is not the header of a key that this version reads");
    }
    let mut key = Key::default();
    let bytes = Zeroizing::new(
        STANDARD
            .decode(body.trim())
            .map_err(|_| "its second line is not base64")?,
    );
    if bytes.len() != key.len() {
        return Err("its second line is not 32 bytes long");
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Makes sure that a file's name is on disk too.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_key_file_is_its_owners_alone_and_is_never_overwritten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let key = create(&path).expect("created");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(*load(&path).expect("loads"), *key);
        assert!(matches!(create(&path), Err(OpenError::KeyFileExists(_))));
        assert_eq!(*load(&path).expect("unchanged"), *key);
    }

    #[test]
    fn p8_a_key_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        create(&path).expect("created");
        for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
            let error = load(&path).expect_err("exposed");
            assert!(matches!(error, OpenError::KeyFileExposed { .. }), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("chmod 600")));
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("chmod");
        load(&path).expect("read-only for its owner is fine");
    }

    #[test]
    fn p8_what_is_no_key_is_refused_without_being_shown() {
        for text in [
            "",
            "TEST-marker",
            "twinkey wrapping key v2\nTEST-marker\n",
            "twinkey wrapping key v1\nTEST-marker!\n",
            "twinkey wrapping key v1\nVEVTVA==\n",
        ] {
            let reason = parse(text).expect_err("no key");
            assert!(!reason.contains("marker"), "{reason}");
        }
    }
}
