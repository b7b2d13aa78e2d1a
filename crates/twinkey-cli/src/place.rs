//! An opened store, and everything that is needed to rotate what is in it.

use std::sync::Arc;

use tokio::sync::OnceCell;
use twinkey_aws::{
    Environment, FunctionLog, Iam, IamOnDemand, Kms, KmsOnDemand, Patience, SdkConfig,
    SecretsManagerStore, connect,
};
use twinkey_catalog::Catalog;
use twinkey_core::{Borrow, Clock, IamTokens, Kinds, SecretId, Store, StoreError, SystemClock};
use twinkey_local::{LocalStore, Wrapping};

use crate::location::{Files, Location};
use crate::problem::Problem;

/// An opened store, with the kinds of keys and the clock.
pub(crate) struct Opened {
    pub(crate) at: At,
    catalog: OnceCell<Arc<Catalog>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The store that was opened.
pub(crate) enum At {
    Embedded(LocalStore),
    Aws(Box<Aws>),
}

/// Secrets Manager, and what else of AWS is asked by the same rights.
pub(crate) struct Aws {
    pub(crate) store: SecretsManagerStore,
    config: SdkConfig,
}

impl Aws {
    /// The log of a rotation function, by its ARN.
    pub(crate) fn log(&self, function: &str) -> FunctionLog {
        FunctionLog::new(&self.config, Patience::default(), function)
    }
}

impl Opened {
    /// The name that a rotation writes into its mark. A part of an ARN is none.
    pub(crate) async fn marked_as(&self, secret: &SecretId) -> Result<SecretId, Problem> {
        match &self.at {
            At::Embedded(_) => Ok(secret.clone()),
            At::Aws(aws) => Ok(aws.store.look(secret).await?.arn),
        }
    }

    pub(crate) async fn open(location: &Location) -> Result<Self, Problem> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let at = match location {
            Location::Embedded(files) => At::Embedded(embedded(files, &clock).await?),
            Location::Aws => {
                let config = aws_config().await?;
                let store = SecretsManagerStore::new(&config, Patience::default());
                At::Aws(Box::new(Aws { store, config }))
            }
        };
        Ok(Self {
            at,
            catalog: OnceCell::new(),
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
    pub(crate) async fn kinds(&self) -> Result<Arc<dyn Kinds>, Problem> {
        let kinds: Arc<dyn Kinds> = self.catalog().await?;
        Ok(kinds)
    }

    /// The same kinds, with what only some of them can do.
    pub(crate) async fn catalog(&self) -> Result<Arc<Catalog>, Problem> {
        let catalog = self.catalog.get_or_try_init(|| self.build()).await?;
        Ok(Arc::clone(catalog))
    }

    async fn build(&self) -> Result<Arc<Catalog>, Problem> {
        let environment = self.environment().await?;
        let borrow: Arc<dyn Borrow> = match &self.at {
            At::Embedded(store) => Arc::new(store.clone()),
            At::Aws(aws) => Arc::new(aws.store.clone()),
        };
        let iam: Arc<dyn IamTokens> = match &self.at {
            At::Embedded(_) => Arc::new(IamOnDemand::default()),
            At::Aws(aws) => Arc::new(Iam::new(&aws.config, Patience::default())),
        };
        let signer = Arc::new(KmsOnDemand::default());
        match Catalog::from_variables(|name| environment.get(name), borrow, signer) {
            Ok(catalog) => Ok(Arc::new(catalog.with_iam(iam))),
            Err(error) => Err(wrong(environment.told(&error))),
        }
    }

    async fn environment(&self) -> Result<Environment, Problem> {
        let environment = Environment::of_process();
        if !environment.is_encrypted() {
            return Ok(environment);
        }
        let config = aws_config().await?;
        let clear = environment.decrypted(&config, Patience::default()).await;
        clear.map_err(|error| match error {
            StoreError::Denied { .. } | StoreError::Transient { .. } => error.into(),
            error => wrong(error.to_string()),
        })
    }
}

fn wrong(message: String) -> Problem {
    Problem::new("InvalidEnvironment", message)
}

async fn embedded(files: &Files, clock: &Arc<dyn Clock>) -> Result<LocalStore, Problem> {
    let clock = Arc::clone(clock);
    match LocalStore::wrapping(&files.store)? {
        Wrapping::KeyFile => Ok(LocalStore::open(&files.store, &files.key_file, clock)?),
        Wrapping::Service {
            store,
            key,
            ciphertext,
        } => {
            let plaintext = kms().await?.unwrap(&key, &ciphertext, &store).await?;
            Ok(LocalStore::open_with(&files.store, &plaintext, clock)?)
        }
    }
}

/// KMS, by the caller's rights.
pub(crate) async fn kms() -> Result<Kms, Problem> {
    Ok(Kms::new(&aws_config().await?, Patience::default()))
}

/// AWS's standard chain of credentials, profiles and regions.
async fn aws_config() -> Result<SdkConfig, Problem> {
    let config = connect().await;
    if config.region().is_some() {
        return Ok(config);
    }
    Err(Problem::usage("no AWS region is set").with_hint("name one: AWS_REGION=eu-central-1"))
}
