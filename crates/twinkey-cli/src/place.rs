//! An opened store, and everything that is needed to rotate what is in it.

use std::sync::Arc;

use twinkey_catalog::{Catalog, SettingsError};
use twinkey_core::{Clock, Kinds, SystemClock};
use twinkey_local::LocalStore;

use crate::arguments::Place;
use crate::problem::Problem;

/// An opened store, with the kinds of keys and the clock.
pub(crate) struct Opened {
    pub(crate) store: LocalStore,
    kinds: Result<Arc<dyn Kinds>, SettingsError>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Opened {
    pub(crate) fn open(place: &Place) -> Result<Self, Problem> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = LocalStore::open(&place.store()?, &place.key_file()?, Arc::clone(&clock))?;
        let catalog = Catalog::from_environment(Arc::new(store.clone()));
        let kinds = catalog.map(|catalog| Arc::new(catalog) as Arc<dyn Kinds>);
        Ok(Self {
            store,
            kinds,
            clock,
        })
    }

    /// Which kinds of keys there are. Fails where the operator's settings are wrong: reading and
    /// tagging secrets needs none of them.
    pub(crate) fn kinds(&self) -> Result<Arc<dyn Kinds>, Problem> {
        let wrong = |error: &SettingsError| Problem::new("InvalidEnvironment", error.to_string());
        self.kinds.as_ref().map(Arc::clone).map_err(wrong)
    }
}
