//! The function's log as moto keeps it: somebody else's idea of `FilterLogEvents`.

use chrono::{TimeDelta, Utc};
use twinkey_aws::{FunctionLog, Patience};
use twinkey_core::{Step, StepOutcome, StoreError, VersionId};
use twinkey_test_aws::{Moto, boto3};

use crate::world::config;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:TEST-function";

fn line(token: &VersionId, step: &str, outcome: &str) -> String {
    format!(r#"{{"record":"step","function":"TEST-function","token":"{token}","step":"{step}","#)
        + r#""started_at":"2026-01-01T00:00:00Z","milliseconds":12,"#
        + outcome
        + "}"
}

/// The function writes lines, now.
fn write(moto: &Moto, lines: &[String]) {
    let script = format!(
        "import boto3, os, time\n\
         logs = boto3.client('logs', endpoint_url=os.environ['ENDPOINT'])\n\
         group, stream = '/aws/lambda/TEST-function', 'TEST'\n\
         logs.create_log_group(logGroupName=group)\n\
         logs.create_log_stream(logGroupName=group, logStreamName=stream)\n\
         now = int(time.time() * 1000)\n\
         events = [{{'timestamp': now, 'message': line}} for line in {lines:?}]\n\
         logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)"
    );
    drop(boto3(moto.endpoint(), &script));
}

#[tokio::test]
async fn the_steps_of_one_rotation_are_found_among_others() {
    let moto = Moto::start();
    let log = FunctionLog::new(&config(moto.endpoint()), Patience::default(), FUNCTION);
    let token = VersionId::manual(&mut rand::rng(), false);
    let other = VersionId::manual(&mut rand::rng(), false);
    let since = Utc::now() - TimeDelta::minutes(1);
    let error = log.steps(&token, since).await.expect_err("no group");
    assert!(matches!(error, StoreError::Invalid { .. }), "{error}");

    let failed = r#""outcome":"failed","error_type":"AdminRefused","message":"m""#;
    let passed = r#""outcome":"passed","result":"done""#;
    let lines = [
        line(&other, "createSecret", passed),
        line(&token, "createSecret", passed),
        format!(r#"{{"record":"rotation","token":"{token}","state":"failed"}}"#),
        line(&token, "setSecret", failed),
    ];
    write(&moto, &lines);
    let steps = log.steps(&token, since).await.expect("readable");
    let names: Vec<Step> = steps.iter().map(|logged| logged.step.step).collect();
    assert_eq!(names, [Step::CreateSecret, Step::SetSecret]);
    assert_ne!(steps[0].line, steps[1].line);
    let StepOutcome::Failed(failure) = &steps[1].step.outcome else {
        panic!("{:?}", steps[1]);
    };
    assert_eq!(failure.error_type, "AdminRefused");
    let later = Utc::now() + TimeDelta::minutes(1);
    assert_eq!(log.steps(&token, later).await.expect("readable"), []);
    let command = log.command(&token, since);
    assert!(
        command.contains("--log-group-name /aws/lambda/TEST-function "),
        "{command}"
    );
}
