//! An opened store, and everything that is needed to rotate what is in it.

use std::sync::Arc;

use twinkey_catalog::Catalog;
use twinkey_core::{Clock, Kinds, SystemClock};
use twinkey_local::LocalStore;

use crate::arguments::Place;
use crate::problem::Problem;

/// An opened store, with the kinds of keys and the clock.
pub(crate) struct Opened {
    pub(crate) store: LocalStore,
    pub(crate) kinds: Arc<dyn Kinds>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Opened {
    pub(crate) fn open(place: &Place) -> Result<Self, Problem> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = LocalStore::open(&place.store()?, &place.key_file()?, Arc::clone(&clock))?;
        let catalog = Catalog::from_environment(Arc::new(store.clone()))
            .map_err(|error| Problem::new("InvalidEnvironment", error.to_string()))?;
        Ok(Self {
            store,
            kinds: Arc::new(catalog),
            clock,
        })
    }
}
