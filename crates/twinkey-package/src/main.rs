//! Writes a zip for each program that is named, and `SHA256SUMS`; prints what it has written.

use std::path::Path;
use std::process::ExitCode;

use twinkey_package::{sha256, zip};

const USAGE: &str = "usage: twinkey-package FOLDER PROCESSOR=PROGRAM…";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, programs)) = arguments.split_first() else {
        eprintln!("error: {USAGE}");
        return ExitCode::FAILURE;
    };
    match package(Path::new(folder), programs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "the table is what it is called for")]
fn package(folder: &Path, programs: &[String]) -> Result<(), String> {
    let mut sums = Vec::new();
    println!("{:<28} {:>12} {:>12}  sha256", "file", "bytes", "unzipped");
    for named in programs {
        let (processor, path) = named.split_once('=').ok_or(USAGE)?;
        let program = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let zipped = zip(&program).map_err(|error| format!("{path}: {error}"))?;
        let (name, sum) = (format!("twinkey-lambda-{processor}.zip"), sha256(&zipped));
        write(&folder.join(&name), &zipped)?;
        println!(
            "{name:<28} {:>12} {:>12}  {sum}",
            zipped.len(),
            program.len()
        );
        sums.push(format!("{sum}  {name}\n"));
    }
    write(&folder.join("SHA256SUMS"), sums.concat().as_bytes())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()))
}
