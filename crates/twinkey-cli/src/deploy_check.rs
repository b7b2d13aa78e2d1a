//! deploy-check: what the templates have made on AWS, and what is missing.

use std::collections::BTreeMap;
use std::process::ExitCode;

use twinkey_aws::{Patience, connect};
use twinkey_deployment::{Deployment, Finding, Report, State};

use crate::arguments::DeployCheck;
use crate::present::{self, line};
use crate::problem::Problem;

/// A thousand secrets may have one trouble.
const MOST_ALIKE: usize = 20;

/// It fails if anything is not as it should be, so that a pipeline can end with it.
pub(crate) async fn deploy_check(check: &DeployCheck) -> Result<ExitCode, Problem> {
    let config = connect().await;
    let alias = Some(check.signing_alias.as_str()).filter(|alias| !alias.is_empty());
    let deployment = Deployment::find(&config, Patience::default(), &check.name, alias).await?;
    let report = deployment.look().await;
    if check.output.json {
        present::json(&report);
    } else {
        show(&report);
    }
    Ok(match report.problems() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What is as it should be first, so that the rest stands at the end, where people look.
fn show(report: &Report) {
    let (name, region) = (&report.name, &report.region);
    line(&format!("{name} in {region}, account {}", report.account));
    if !report.is_there {
        line("nothing of this name is here: is it another --name, region or account?");
    }
    let findings = &report.findings;
    let (well, ill): (Vec<_>, Vec<_>) = findings.iter().partition(|it| it.state == State::Ok);
    let rows: Vec<Vec<String>> = well.iter().map(|finding| row(finding)).collect();
    present::table(&rows);
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    let mut shown = ill.clone();
    shown.retain(|finding| {
        let number = alike.entry(&finding.detail).or_default();
        *number += 1;
        *number <= MOST_ALIKE
    });
    for (at, finding) in shown.iter().enumerate() {
        line(&row(finding).join("  "));
        // Once for all that it is the same for.
        let next = shown.get(at + 1).and_then(|next| next.hint.as_ref());
        if let Some(hint) = finding.hint.as_ref().filter(|hint| next != Some(hint)) {
            line(&format!("           hint: {hint}"));
        }
    }
    for (detail, number) in alike.iter().filter(|(_, number)| **number > MOST_ALIKE) {
        let more = number - MOST_ALIKE;
        line(&format!(
            "  and {more} more of which it is said: {detail} (--json tells all)"
        ));
    }
    let all = findings.len();
    line(&match ill.len() {
        0 => format!("all {all} are as they should be"),
        1 => format!("1 of {all} is not as it should be"),
        number => format!("{number} of {all} are not as they should be"),
    });
}

fn row(finding: &Finding) -> Vec<String> {
    let state = match finding.state {
        State::Ok => console::style("ok     ").green(),
        State::Missing => console::style("missing").red(),
        State::Wrong => console::style("wrong  ").red(),
        State::Unknown => console::style("unknown").yellow(),
    };
    vec![
        format!("  {state}"),
        finding.subject.clone(),
        finding.detail.clone(),
    ]
}
