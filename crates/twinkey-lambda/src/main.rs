#![doc = include_str!("../README.md")]

mod answer;
mod by_hand;
mod deadline;
mod event;
mod function;
mod in_time;
mod lines;
mod logs;
mod metrics;
mod refusal;
mod stepping;
mod tick;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use lambda_runtime::{Runtime, service_fn};
use twinkey_aws::{Environment, Iam, Kms, Patience, SecretsManagerStore, connect};
use twinkey_catalog::Catalog;
use twinkey_core::StoreError;

use crate::deadline::{Began, Deadline};
use crate::function::Function;
use crate::in_time::{Labelled, StoreInTime};
use crate::refusal::misconfigured;

/// What Lambda sets and its runtime library insists on.
const SET_BY_LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // First, since whatever speaks TLS takes it from here. Nobody can have been quicker.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    logs::listen(std::env::var("RUST_LOG").ok().as_deref());
    if let Some(missing) = SET_BY_LAMBDA
        .into_iter()
        .find(|it| std::env::var_os(it).is_none())
    {
        eprintln!(
            "error: {missing} is not set: this program is started by AWS Lambda\n\
                   hint: to rotate by hand: twinkey rotate NAME"
        );
        return ExitCode::FAILURE;
    }
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers events until Lambda ends the process.
async fn serve() -> Result<(), lambda_runtime::Error> {
    let config = connect().await;
    let store = StoreInTime {
        store: SecretsManagerStore::new(&config, Patience::default()),
        deadline: Deadline::default(),
        labelled: Labelled::default(),
    };
    let environment = Environment::of_process().decrypted(&config, Patience::default());
    let catalog = match environment.await {
        Ok(environment) => {
            let borrow = Arc::new(store.clone());
            let signer = Arc::new(Kms::new(&config, Patience::default()));
            let catalog = Catalog::from_variables(|name| environment.get(name), borrow, signer);
            let iam = Arc::new(Iam::new(&config, Patience::default()));
            catalog
                .map(|catalog| catalog.with_iam(iam))
                .map_err(|error| misconfigured(&environment.told(&error)))
        }
        // The next start may be luckier; a function that kept this would refuse for good.
        Err(error @ StoreError::Transient { .. }) => return Err(error.into()),
        Err(error) => Err(misconfigured(&error)),
    };
    let function = Function {
        config,
        store,
        began: Began(SystemTime::now()),
        catalog,
    };
    let runtime = Runtime::new(service_fn(|event| function.answer(event)));
    let end = runtime.run().await;
    end.map_err(|error| format!("the Runtime API of Lambda: {error}").into())
}
