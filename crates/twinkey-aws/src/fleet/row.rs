//! One secret's line of a report, and what it adds to the figures.

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{RetiredKey, SecretId, VersionId};

use super::managed::Managed;
use super::report::{Action, Figures, Reason, Report, SecretReport};

pub(crate) struct Row {
    report: SecretReport,
    age: Option<TimeDelta>,
    is_overdue: bool,
    pub(crate) is_stuck: bool,
}

impl Row {
    pub(crate) fn new(
        managed: &Managed,
        due_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let ours = !managed.is_foreign;
        Self {
            report: SecretReport {
                name: managed.name.clone(),
                arn: managed.arn.clone(),
                action: Action::NotDue,
                token: None,
                reason: None,
                warning: ours.then(|| managed.warning()).flatten(),
                due_at: due_at.filter(|_| ours),
                retired: Vec::new(),
            },
            age: managed.age(now).filter(|_| ours),
            is_overdue: false,
            is_stuck: false,
        }
    }

    pub(crate) fn overdue(self, is_overdue: bool) -> Self {
        Self { is_overdue, ..self }
    }

    pub(crate) fn stuck(self, is_stuck: bool) -> Self {
        Self { is_stuck, ..self }
    }

    pub(crate) fn with(mut self, action: Action) -> Self {
        self.report.action = action;
        self
    }

    pub(crate) fn by(mut self, token: VersionId) -> Self {
        self.report.token = Some(token);
        self
    }

    pub(crate) fn because(mut self, reason: Reason) -> Self {
        self.report.reason = Some(reason);
        self
    }

    /// A rotation in flight that should have ended.
    pub(crate) fn or_stuck(self) -> Self {
        if !self.is_stuck {
            return self;
        }
        let message = "the rotation in flight should have ended long ago; it is abandoned when the secret is due";
        self.because(Reason::new("StuckPending", message))
    }

    pub(crate) fn by_somebody(self) -> Self {
        let message = "a previous rotation isn't complete; whose, the next tick sees";
        self.because(Reason::new("PreviousIncomplete", message))
    }

    pub(crate) fn having_retired(mut self, retired: Vec<RetiredKey>) -> Self {
        self.report.retired = retired;
        self
    }

    pub(crate) fn arn(&self) -> &SecretId {
        &self.report.arn
    }
}

pub(crate) fn report(mut rows: Vec<Row>, incomplete: Option<Reason>) -> Report {
    rows.sort_by(|one, other| one.report.name.cmp(&other.report.name));
    let oldest = rows.iter().filter_map(|row| row.age).max();
    let figures = Figures {
        managed: rows.len(),
        secrets_overdue: rows.iter().filter(|row| row.is_overdue).count(),
        oldest_key_age_seconds: oldest.map_or(0, |age| age.num_seconds().max(0)),
        stuck_pending: rows.iter().filter(|row| row.is_stuck).count(),
    };
    Report {
        figures,
        incomplete,
        secrets: rows.into_iter().map(|row| row.report).collect(),
    }
}
