//! Makes sure that there is a Postgres server on this machine, and says what to do if there is none.

use std::process::ExitCode;

fn main() -> ExitCode {
    match twinkey_test_postgres::find_or_install_binaries() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
