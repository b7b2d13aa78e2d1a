#![doc = include_str!("../README.md")]

mod asking;
mod call;
mod connection;
mod date;
mod denial;
mod description;
mod environment;
mod fleet;
mod foreign;
mod function_log;
mod iam;
mod inventory;
mod kms;
mod kms_call;
mod limits;
mod manual;
mod patience;
mod retries;
mod roots;
mod rotation_token;
mod self_driven;
mod store;
mod store_call;
mod tagging;

pub use asking::Answer;
pub use aws_config::SdkConfig;
pub use call::Call;
pub use connection::connect;
pub use environment::Environment;
pub use fleet::{
    Abandon, Action, DatedVersion, Figures, Fleet, Limits, Page, Pause, Reason, Region, Report,
    SecretReport, TokioPause,
};
pub use function_log::{FunctionLog, LoggedStep};
pub use iam::{Iam, IamOnDemand};
pub use inventory::{Listed, Which};
pub use kms::{DataKey, Kms, KmsOnDemand};
pub use manual::{Asked, ManualAsk, NotAsked};
pub use patience::Patience;
pub use rotation_token::{InvalidRotationToken, RotationToken};
pub use self_driven::{NotHere, SelfDriven};
pub use store::{SecretsManagerStore, Seen};
