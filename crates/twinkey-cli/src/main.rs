//! The `twinkey` command: wiring and presentation only.

mod adopt;
mod adopt_report;
mod arguments;
mod configuration;
mod deploy_check;
mod end_sessions;
mod follow;
mod here;
mod init;
mod keys;
mod list;
mod location;
mod place;
mod present;
mod problem;
mod progress;
mod rotate;
mod rotations;
mod run;
mod secrets;
mod status;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::configuration::Configuration;
use crate::location::Location;
use crate::place::Opened;
use crate::problem::Problem;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match begin(&arguments).await {
        Ok(_) if present::data_lost() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(problem) => {
            problem.show(arguments.command.json());
            ExitCode::FAILURE
        }
    }
}

async fn begin(arguments: &Arguments) -> Result<ExitCode, Problem> {
    if let Command::DeployCheck(check) = &arguments.command {
        return deploy_check::deploy_check(check).await;
    }
    let location = Location::find(&arguments.place, Configuration::load()?)?;
    let result = execute(arguments, &location).await;
    let told = result.map_err(|problem| match location {
        Location::Aws => problem.on_aws(),
        Location::Embedded(_) => problem,
    });
    told.map(|()| ExitCode::SUCCESS)
}

async fn execute(arguments: &Arguments, location: &Location) -> Result<(), Problem> {
    if let Command::Init(init) = &arguments.command {
        return init::init(location, &arguments.place, init).await;
    }
    let opened = Opened::open(location).await?;
    match &arguments.command {
        // Neither works on a store that is there.
        Command::Init(_) | Command::DeployCheck(_) => Ok(()),
        Command::Put(put) => secrets::put(&opened, put).await,
        Command::Tag(tag) => secrets::tag(&opened, tag).await,
        Command::Untag(untag) => secrets::untag(&opened, untag).await,
        Command::Get(get) => secrets::get(&opened, get).await,
        Command::List(output) => list::list(&opened, output.json).await,
        Command::Rotate(rotate) => rotate::rotate(&opened, rotate).await,
        Command::Adopt(adopt) => adopt::adopt(&opened, adopt).await,
        Command::EndSessions(end) => end_sessions::end_sessions(&opened, end).await,
        Command::Status(status) => status::status(&opened, status).await,
        Command::Run => run::run(&opened).await,
    }
}
