//! An opened store, and everything that is needed to rotate what is in it.

use std::sync::Arc;

use twinkey_aws::{FunctionLog, Patience, SdkConfig, SecretsManagerStore, connect};
use twinkey_catalog::{Catalog, SettingsError};
use twinkey_core::{Clock, Kinds, Store, SystemClock};
use twinkey_local::LocalStore;

use crate::location::{Files, Location};
use crate::problem::Problem;

/// An opened store, with the kinds of keys and the clock.
pub(crate) struct Opened {
    pub(crate) at: At,
    kinds: Result<Arc<dyn Kinds>, SettingsError>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The store that was opened.
pub(crate) enum At {
    Embedded(LocalStore),
    Aws(Aws),
}

/// Secrets Manager, and what else of AWS is asked by the same rights.
pub(crate) struct Aws {
    pub(crate) store: SecretsManagerStore,
    config: SdkConfig,
}

impl Aws {
    async fn connect() -> Result<Self, Problem> {
        let config = connect().await;
        if config.region().is_none() {
            return Err(Problem::usage("no AWS region is set")
                .with_hint("name one: AWS_REGION=eu-central-1"));
        }
        let store = SecretsManagerStore::new(&config, Patience::default());
        Ok(Self { store, config })
    }

    /// The log of a rotation function, by its ARN.
    pub(crate) fn log(&self, function: &str) -> FunctionLog {
        FunctionLog::new(&self.config, Patience::default(), function)
    }
}

impl Opened {
    pub(crate) async fn open(location: &Location) -> Result<Self, Problem> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (at, catalog) = match location {
            Location::Embedded(files) => {
                let store = embedded(files, &clock)?;
                let catalog = Catalog::from_environment(Arc::new(store.clone()));
                (At::Embedded(store), catalog)
            }
            Location::Aws => {
                let aws = Aws::connect().await?;
                let catalog = Catalog::from_environment(Arc::new(aws.store.clone()));
                (At::Aws(aws), catalog)
            }
        };
        Ok(Self {
            at,
            kinds: catalog.map(|catalog| Arc::new(catalog) as Arc<dyn Kinds>),
            clock,
        })
    }

    /// What both stores can do.
    pub(crate) fn store(&self) -> &dyn Store {
        match &self.at {
            At::Embedded(store) => store,
            At::Aws(aws) => &aws.store,
        }
    }

    /// Which kinds of keys there are. Fails where the operator's settings are wrong: reading and
    /// tagging secrets needs none of them.
    pub(crate) fn kinds(&self) -> Result<Arc<dyn Kinds>, Problem> {
        let wrong = |error: &SettingsError| Problem::new("InvalidEnvironment", error.to_string());
        self.kinds.as_ref().map(Arc::clone).map_err(wrong)
    }
}

fn embedded(files: &Files, clock: &Arc<dyn Clock>) -> Result<LocalStore, Problem> {
    let clock = Arc::clone(clock);
    Ok(LocalStore::open(&files.store, &files.key_file, clock)?)
}
