//! The report as it is written.

use serde_json::json;

use super::region::Region;

#[tokio::test]
async fn p8_a_report_tells_what_was_done_and_no_value() {
    let region = Region::new().await;
    region.secret("db/one", "rate 1 hour");
    region.secret("db/three", "weekly");
    region.pass(55);
    region.secret("db/two", "rate 1 hour");
    region.pass(20);
    let report = serde_json::to_value(region.tick().await).expect("JSON");
    let token = region.server.requests("RotateSecret")[0]["ClientRequestToken"].clone();
    let arn = |name| region.server.arn(name);
    let expected = json!({
        "figures": {
            "managed": 3,
            "secrets_overdue": 1,
            "oldest_key_age_seconds": 75 * 60,
            "stuck_pending": 0,
        },
        "secrets": [
            {
                "name": "db/one",
                "arn": arn("db/one"),
                "action": "asked",
                "token": token,
                "due_at": "2026-01-01T01:00:00Z",
            },
            {
                "name": "db/three",
                "arn": arn("db/three"),
                "action": "skipped",
                "reason": {
                    "code": "InvalidPolicy",
                    "message": "tag twinkey:schedule: \"weekly\" is no schedule: write rate(20 minutes) or cron(0 8 1 * ? *)",
                },
            },
            {
                "name": "db/two",
                "arn": arn("db/two"),
                "action": "not_due",
                "due_at": "2026-01-01T01:55:00Z",
            },
        ],
    });
    assert_eq!(report, expected, "{report:#}");
    assert!(!report.to_string().contains("TEST-4711"));
}
