#![doc = include_str!("../README.md")]

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use sha2::{Digest, Sha256};
use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// What Lambda starts: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>.
pub const ENTRY: &str = "bootstrap";
/// Lambda starts it as a user who is neither its owner nor in its group.
const RIGHTS: u32 = 0o755;
/// Above nine, zopfli tries so many ways more, and takes seconds for it; any unzip reads the result.
const LEVEL: i64 = 10;

/// The zip of a program. Fails if the program is larger than a plain zip holds.
pub fn zip(program: &[u8]) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(RIGHTS);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(ENTRY, options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

/// The SHA-256 of some bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_zip_holds_one_program_that_anyone_may_execute() {
        let zipped = zip(b"TEST program").expect("zipped");
        let mut archive = ::zip::ZipArchive::new(Cursor::new(zipped)).expect("a zip");
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name("bootstrap").expect("an entry");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut program = Vec::new();
        entry.read_to_end(&mut program).expect("read");
        assert_eq!(program, b"TEST program");
    }

    /// Whoever changes what is written, or the compression, sees here that every published sum changes with it.
    #[test]
    fn the_bytes_are_the_same_at_any_time() {
        let program: Vec<u8> = (0..40_000_u32)
            .flat_map(|i| (i * i).to_le_bytes())
            .collect();
        let zipped = zip(&program).expect("zipped");
        assert_eq!(
            sha256(&zipped),
            "5979c085388821e7a68585653d8eeb515d30378c7a8c25e6d827305d4b5a6d48"
        );
    }
}
