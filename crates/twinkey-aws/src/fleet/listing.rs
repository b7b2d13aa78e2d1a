//! `ListSecrets`: every secret with a tag of ours, a hundred to a call.

use chrono::{DateTime, Utc};
use twinkey_core::{Clock, StoreError};

use super::managed::Managed;
use super::region::Region;
use super::report::Reason;

/// What was found, and why it is not everything.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) managed: Vec<Managed>,
    pub(crate) incomplete: Option<Reason>,
}

impl Listing {
    /// The managed secrets. An error only if not even the first page came; what follows a page that did
    /// not come stays unknown. `ListSecrets` may be minutes behind what it lists.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>
    pub(crate) async fn of(
        region: &dyn Region,
        clock: &dyn Clock,
        deadline: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let (mut listing, mut next, mut first) = (Self::default(), None, true);
        loop {
            if !first && clock.now() >= deadline {
                listing.incomplete = Some(Reason::new(
                    "DeadlineReached",
                    "the deadline came before the last page of ListSecrets",
                ));
                return Ok(listing);
            }
            match listing.page(region, next).await {
                Ok(None) => return Ok(listing),
                Ok(token) => next = token,
                Err(error) if first => return Err(error),
                Err(error) => {
                    listing.incomplete = Some(Reason::from(&error));
                    return Ok(listing);
                }
            }
            first = false;
        }
    }

    async fn page(
        &mut self,
        region: &dyn Region,
        token: Option<String>,
    ) -> Result<Option<String>, StoreError> {
        let page = region.page(token).await?;
        let found = page.secrets.iter().filter_map(Managed::parse);
        self.managed.extend(found);
        Ok(page.next)
    }
}
