//! The crash matrix of one case, counted by its endings and told call by call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinkey_core::Step;
use twinkey_testkit::{Call, CrashPoint, Ending, FakeKind, Fault, Outcome, Restart};

use crate::{Case, Health, crash_points};

/// The crash matrix of one case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// How many points there are.
    pub points: usize,
    /// How often a rotation ended how.
    pub endings: BTreeMap<String, usize>,
    /// Call by call; only of the case that stands for a quiet life.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
}

/// One outside call of the crash matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// In which step it is made.
    pub step: Step,
    /// The method of store or provider.
    pub call: String,
    /// How the rotation ended, for every fault in the order of [`Fault::ALL`].
    pub endings: Vec<String>,
}

/// Every crash point of one case, counted.
#[must_use]
pub(crate) fn crash_of(case: Case) -> Crash {
    let outcomes = crash_points(case);
    let mut crash = Crash {
        points: outcomes.len(),
        ..Crash::default()
    };
    for outcome in &outcomes {
        *crash.endings.entry(ending(outcome)).or_default() += 1;
    }
    if case.rotations == 2 && case.health == Health::Healthy {
        crash.rows = rows(case.kind, &outcomes);
    }
    crash
}

fn ending(outcome: &Outcome) -> String {
    match outcome.ending {
        Ending::Unnoticed => "unnoticed".into(),
        Ending::Redelivered => "redelivered".into(),
        Ending::NextRotation(reason) => format!("next rotation ({reason})"),
    }
}

fn rows(kind: FakeKind, outcomes: &[Outcome]) -> Vec<Row> {
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    for number in outcomes.iter().map(|outcome| outcome.point.number) {
        rows.entry(number)
            .or_insert_with(|| row(kind, outcomes, number));
    }
    rows.into_values().collect()
}

fn row(kind: FakeKind, outcomes: &[Outcome], number: usize) -> Row {
    let here = || outcomes.iter().filter(move |it| it.point.number == number);
    let point = here().next().expect("a point").point;
    let endings = Fault::ALL.into_iter().map(|fault| {
        let same = here().filter(|it| it.point.fault == fault);
        let soon = same.filter(|it| it.point.restart != Restart::AfterExpiry);
        cell(kind, &soon.collect::<Vec<_>>())
    });
    Row {
        step: point.step,
        call: point.call.name.into(),
        endings: endings.collect(),
    }
}

/// All restarts of one fault at one call: as a rule they end alike.
fn cell(kind: FakeKind, outcomes: &[&Outcome]) -> String {
    let mut endings: Vec<String> = outcomes.iter().map(|outcome| ending(outcome)).collect();
    endings.sort();
    endings.dedup();
    let strays = outcomes.iter().any(|it| loses_a_key(kind, &it.point));
    let sign = if strays { ", stray" } else { "" };
    if endings.is_empty() {
        "–".into()
    } else {
        endings.join(" or ") + sign
    }
}

/// Whether a fault can leave a live key that nobody knows, at a server that cannot list it. (P2)
#[must_use]
pub(crate) fn loses_a_key(kind: FakeKind, point: &CrashPoint) -> bool {
    !kind.is_listed()
        && (lost_between_mint_and_put(point.call, point.fault)
            || point.also.is_some_and(|(call, fault)| {
                // What is done about a put that failed can fail too.
                (call.name == "put" && point.step == Step::CreateSecret)
                    || lost_between_mint_and_put(call, fault)
            }))
}

fn lost_between_mint_and_put(call: Call, fault: Fault) -> bool {
    match call.name {
        "mint" => matches!(fault, Fault::StopAfter | Fault::LoseReply) || fault.lands_late(),
        "put" => matches!(fault, Fault::StopBefore | Fault::SlowBeyondDeadline),
        _ => false,
    }
}
