//! The trail by which Secrets Manager's events reach the rule.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html>

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, ReadWriteType, Trail};
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::finding::Finding;
use crate::question::Question;

const SUBJECT: &str = "trail";
const SERVICE: &str = "CloudTrail";

/// A call, and two for each trail of the region until one is found that does.
pub(crate) async fn look(config: &SdkConfig, region: &str) -> Finding {
    let client = Client::new(config);
    match find(&client, region).await {
        Ok(Found::Logging(name)) => Finding::ok(SUBJECT, format!("{name} logs what happens here")),
        Ok(Found::Stopped(name)) => Finding::wrong(
            SUBJECT,
            format!("{name} is stopped: the rule hears nothing"),
            format!(
                "aws cloudtrail start-logging --name {name}, in the trail's own account and region"
            ),
        ),
        Ok(Found::Elsewhere(name)) => Finding::wrong(
            SUBJECT,
            format!("{name} leaves out the management events that write: the rule hears nothing"),
            "let it log them, or deploy with MakeTrail=true (make_trail)",
        ),
        Ok(Found::None) => Finding::missing(
            SUBJECT,
            "none logs this region: the rule on failed rotations hears nothing",
            "deploy with MakeTrail=true (make_trail)",
        ),
        Err(error) => Finding::unknown(SUBJECT, &error),
    }
}

/// The best of all trails, by what it is named.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    None,
    Elsewhere(String),
    /// By its ARN, which says whose it is.
    Stopped(String),
    Logging(String),
}

async fn find(client: &Client, region: &str) -> Result<Found, StoreError> {
    let question = Question::new(SERVICE, "cloudtrail:DescribeTrails", region);
    let request = client.describe_trails().include_shadow_trails(true);
    let trails = question.required(request.send().await)?;
    let (mut best, mut refused) = (Found::None, None);
    for trail in trails
        .trail_list()
        .iter()
        .filter(|trail| reaches(trail, region))
    {
        // An organisation's may be closed to us, and our own be there all the same.
        match state(client, trail).await {
            Ok(state) => best = best.max(state),
            Err(error) => refused = refused.or(Some(error)),
        }
        if matches!(best, Found::Logging(_)) {
            return Ok(best);
        }
    }
    refused.map_or(Ok(best), Err)
}

fn reaches(trail: &Trail, region: &str) -> bool {
    trail.is_multi_region_trail() == Some(true) || trail.home_region() == Some(region)
}

async fn state(client: &Client, trail: &Trail) -> Result<Found, StoreError> {
    let name = trail.name().unwrap_or("?").to_owned();
    let arn = trail.trail_arn().unwrap_or_default();
    let question = Question::new(SERVICE, "cloudtrail:GetTrailStatus", &name);
    let request = client.get_trail_status().name(arn);
    let status = question.answer(request.send().await)?;
    if status.and_then(|it| it.is_logging()) != Some(true) {
        return Ok(Found::Stopped(arn.into()));
    }
    let question = Question::new(SERVICE, "cloudtrail:GetEventSelectors", &name);
    let request = client.get_event_selectors().trail_name(arn);
    let selectors = question.answer(request.send().await)?;
    if selectors.is_some_and(|it| !takes_writes(&it)) {
        return Ok(Found::Elsewhere(name));
    }
    Ok(Found::Logging(name))
}

/// Without any selector, a trail logs all management events.
fn takes_writes(found: &GetEventSelectorsOutput) -> bool {
    let (selectors, advanced) = (found.event_selectors(), found.advanced_event_selectors());
    let by_default = selectors.is_empty() && advanced.is_empty();
    by_default || selectors.iter().any(takes) || advanced.iter().any(takes_management)
}

fn takes(selector: &EventSelector) -> bool {
    selector.include_management_events() != Some(false)
        && selector.read_write_type() != Some(&ReadWriteType::ReadOnly)
}

fn takes_management(selector: &AdvancedEventSelector) -> bool {
    let has = |field: &str, value: &str| {
        let fields = selector.field_selectors().iter();
        fields
            .filter(|it| it.field() == field)
            .any(|it| it.equals().iter().any(|it| it == value))
    };
    has("eventCategory", "Management") && !has("readOnly", "true")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_cloudtrail::types::AdvancedFieldSelector;

    use super::*;

    fn advanced(fields: &[(&str, &str)]) -> GetEventSelectorsOutput {
        let fields = fields.iter().map(|(field, value)| {
            let built = AdvancedFieldSelector::builder()
                .field(*field)
                .equals(*value);
            built.build().unwrap()
        });
        let selector = AdvancedEventSelector::builder().set_field_selectors(Some(fields.collect()));
        GetEventSelectorsOutput::builder()
            .advanced_event_selectors(selector.build().unwrap())
            .build()
    }

    fn simple(management: bool, kind: ReadWriteType) -> GetEventSelectorsOutput {
        let selector = EventSelector::builder()
            .include_management_events(management)
            .read_write_type(kind);
        GetEventSelectorsOutput::builder()
            .event_selectors(selector.build())
            .build()
    }

    #[test]
    fn a_trail_counts_that_takes_management_events_that_write() {
        assert!(takes_writes(&GetEventSelectorsOutput::builder().build()));
        assert!(takes_writes(&simple(true, ReadWriteType::All)));
        assert!(takes_writes(&simple(true, ReadWriteType::WriteOnly)));
        assert!(!takes_writes(&simple(true, ReadWriteType::ReadOnly)));
        assert!(!takes_writes(&simple(false, ReadWriteType::All)));
        let management = ("eventCategory", "Management");
        assert!(takes_writes(&advanced(&[management])));
        assert!(takes_writes(&advanced(&[
            management,
            ("readOnly", "false")
        ])));
        assert!(!takes_writes(&advanced(&[
            management,
            ("readOnly", "true")
        ])));
        assert!(!takes_writes(&advanced(&[("eventCategory", "Data")])));
    }
}
