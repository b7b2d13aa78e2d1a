#![doc = include_str!("../README.md")]

mod clock;
mod due;
mod engine;
mod error;
mod giving_up;
mod guard;
mod iam_tokens;
mod in_use;
mod last_look;
mod new_key;
pub mod policy;
mod provider;
mod record;
mod room;
mod rotation_event;
mod rotator;
mod schedule;
mod secret;
mod sign;
mod step;
mod store;
mod version_id;

pub use clock::{Clock, SystemClock};
pub use due::{due_at, due_slot, overlap_ends};
pub use engine::{Engine, Kinds, Pass};
pub use error::{DocumentError, ErrorKind, ProviderError, RotationError, RotationFailure};
pub use iam_tokens::{IamLogin, IamTokens};
pub use in_use::{Consumer, InUse};
pub use policy::{
    HOLD_LIMIT_TAG, IN_USE_TAG, MIN_OVERLAP_TAG, Policy, PolicyError, SCHEDULE_TAG, WhileInUse,
};
pub use provider::{
    Choose, Credential, Fence, Issue, KeyId, KeyLabel, LastLook, ListedKey, Listing, Origin,
    Provider, Ready, Retired, Retiring, Verdict, VersionStamp,
};
pub use record::{Failure, Outcome, Record, RetiredKey, StepOutcome, StepRecord};
pub use rotator::{Ended, Inspection, Rotator};
pub use schedule::{Schedule, ScheduleError};
pub use secret::{Description, SecretAddress, SecretId, SecretValue, Slot, Stage, Version};
pub use sign::Sign;
pub use step::{Step, StepReport, StepRequest, StepResult};
pub use store::{Borrow, Selector, Store, StoreError};
pub use version_id::{InvalidVersionId, Trigger, VersionId};

/// A text with its control characters escaped, as it may appear in a log or on a terminal.
pub fn escape_control(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut shown, character| {
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
            shown
        })
}

/// The source of randomness, handed in so that tests can repeat a run.
pub type Random = dyn rand::CryptoRng + Send;
