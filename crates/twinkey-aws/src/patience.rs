//! How long a call may take.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;

use crate::retries;

/// How long one call to AWS may take. Each of the three ends what is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Reaching the service.
    pub connect: Duration,
    /// One attempt, from sending to the whole answer.
    pub attempt: Duration,
    /// The call with all its attempts. It must end before the invocation does.
    pub call: Duration,
}

impl Default for Patience {
    /// For a function that has half a minute.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(4),
            call: Duration::from_secs(10),
        }
    }
}

impl Patience {
    /// A configuration with these timeouts, and with retries for calls whose repetition has the same effect as
    /// the first.
    #[must_use]
    pub fn apply(self, config: &SdkConfig) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call);
        config
            .to_builder()
            .timeout_config(timeouts.build())
            .retry_config(retries::policy())
            .build()
    }
}
