//! The `twinkey` command: wiring and presentation only.

mod arguments;
mod keys;
mod list;
mod place;
mod present;
mod problem;
mod rotate;
mod run;
mod secrets;
mod status;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::place::Opened;
use crate::problem::Problem;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(&arguments).await {
        Ok(()) if present::data_lost() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            problem.show(arguments.command.json());
            ExitCode::FAILURE
        }
    }
}

async fn execute(arguments: &Arguments) -> Result<(), Problem> {
    if let Command::Init = arguments.command {
        return secrets::init(&arguments.place);
    }
    let opened = Opened::open(&arguments.place)?;
    match &arguments.command {
        Command::Init => Ok(()),
        Command::Put(put) => secrets::put(&opened, put).await,
        Command::Tag(tag) => secrets::tag(&opened, tag).await,
        Command::Untag(untag) => secrets::untag(&opened, untag).await,
        Command::Get(get) => secrets::get(&opened, get).await,
        Command::List(output) => list::list(&opened, output.json).await,
        Command::Rotate(rotate) => rotate::rotate(&opened, rotate).await,
        Command::Status(status) => status::status(&opened, status).await,
        Command::Run => run::run(&opened).await,
    }
}
