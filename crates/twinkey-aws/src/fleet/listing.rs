//! `ListSecrets`: every secret with a tag of ours, a hundred to a call.

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use chrono::{DateTime, Utc};
use twinkey_core::{Clock, SecretId, StoreError};

use super::managed::Managed;
use super::report::Reason;
use crate::SecretsManagerStore;
use crate::refusal::{Asked, Call};

/// Not only the schedule's own tag: a misspelt one would otherwise be a silent default. Secrets Manager
/// matches by prefix.
const OUR_TAGS: &str = "twinkey:";
const PAGE: i32 = 100;

/// What was found, and why it is not everything.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) managed: Vec<Managed>,
    pub(crate) incomplete: Option<Reason>,
}

impl SecretsManagerStore {
    /// The managed secrets. An error only if not even the first page came; what follows a page that did
    /// not come stays unknown. `ListSecrets` may be minutes behind what it lists.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>
    pub(crate) async fn managed(
        &self,
        clock: &dyn Clock,
        deadline: DateTime<Utc>,
    ) -> Result<Listing, StoreError> {
        let (mut listing, mut next, mut first) = (Listing::default(), None, true);
        loop {
            if !first && clock.now() >= deadline {
                listing.incomplete = Some(Reason::new(
                    "DeadlineReached",
                    "the deadline came before the last page of ListSecrets",
                ));
                return Ok(listing);
            }
            match self.page(&mut listing, next).await {
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
        &self,
        listing: &mut Listing,
        token: Option<String>,
    ) -> Result<Option<String>, StoreError> {
        let everything = SecretId::new("the region's secrets");
        let call = Call {
            operation: "ListSecrets",
            secret: &everything,
            asked: Asked::Secret,
        };
        let by_tag = Filter::builder()
            .key(FilterNameStringType::TagKey)
            .values(OUR_TAGS)
            .build();
        let request = self
            .client
            .list_secrets()
            .filters(by_tag)
            .include_planned_deletion(false)
            .max_results(PAGE)
            .set_next_token(token);
        let page = request.send().await.map_err(|error| call.refused(&error))?;
        let found = page.secret_list().iter().filter_map(Managed::parse);
        listing.managed.extend(found);
        Ok(page.next_token)
    }
}
