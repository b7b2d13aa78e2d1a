//! GitHub, as the operator lets it be reached: what every provider of it works with.

use std::sync::Arc;

use twinkey_core::{Borrow, Clock, Sign, SystemClock};

use crate::http::{Http, Reqwest};
use crate::session::Session;
use crate::{DeployKeyProvider, Settings, TokenProvider};

/// GitHub, and the operator's settings for it. Clones share their connections.
#[derive(Clone)]
pub struct Github {
    pub(crate) settings: Settings,
    pub(crate) http: Arc<dyn Http>,
    pub(crate) borrow: Arc<dyn Borrow>,
    pub(crate) signer: Arc<dyn Sign>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Github {
    /// With these settings; private keys of Apps are read through `borrow`, or sign through `signer`. No call is
    /// made.
    #[must_use]
    pub fn new(settings: Settings, borrow: Arc<dyn Borrow>, signer: Arc<dyn Sign>) -> Self {
        Self {
            http: Arc::new(Reqwest::new(settings.clone())),
            settings,
            borrow,
            signer,
            clock: Arc::new(SystemClock),
        }
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same over another transport.
    #[must_use]
    pub fn with_http(self, http: Arc<dyn Http>) -> Self {
        Self { http, ..self }
    }

    /// Installation tokens, for one step: what it has signed is kept until then.
    #[must_use]
    pub fn tokens(&self) -> TokenProvider {
        TokenProvider {
            session: Session::new(self.clone()),
        }
    }

    /// Deploy keys, for one step: the token that it works with is revoked when that ends.
    #[must_use]
    pub fn deploy_keys(&self) -> DeployKeyProvider {
        DeployKeyProvider::new(Session::new(self.clone()))
    }
}
