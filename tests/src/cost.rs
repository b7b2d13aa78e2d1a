//! What one rotation asks of others, counted by those who were asked.

use std::collections::BTreeMap;

use crate::{Account, Function};

/// How often each name was met.
pub type Counts = BTreeMap<String, usize>;

/// The outside calls of one rotation, by kind.
pub struct Cost {
    /// Calls to Secrets Manager, by operation; the admin's secret is among what they ask for.
    pub calls: Counts,
    /// Connections that the database let in, by user.
    pub connections: Counts,
    /// Statements that the database was sent, by user. Logins are none.
    pub statements: Counts,
}

impl Cost {
    /// Rotates a secret and counts. Whoever wants a warm rotation has rotated before.
    pub async fn of_a_rotation(account: &Account, function: &mut Function, name: &str) -> Self {
        drop(account.aws.take_calls());
        let before = account.site.cluster.log().len();
        let token = account.begin(name);
        let rotated = function.rotate(&account.aws.arn(name), &token).await;
        rotated.expect("nothing disturbs it");
        let log = account.site.cluster.log().split_off(before);
        Self {
            calls: count(account.aws.take_calls()),
            connections: count(connections(&log)),
            statements: count(statements(&log)),
        }
    }
}

/// How often each of these names is there.
pub fn count(names: impl IntoIterator<Item = impl Into<String>>) -> Counts {
    names.into_iter().fold(Counts::new(), |mut counts, name| {
        *counts.entry(name.into()).or_default() += 1;
        counts
    })
}

/// `connection authorized: user=app database=…`
fn connections(log: &str) -> impl Iterator<Item = &str> {
    let authorized = log.split("connection authorized: user=").skip(1);
    authorized.filter_map(|rest| rest.split_whitespace().next())
}

/// `… user=app LOG:  statement: …`, and `execute` for one that was prepared.
fn statements(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter_map(|line| {
        let (_, of) = line.split_once(" user=")?;
        let (user, told) = of.split_once(" LOG:  ")?;
        let sent = ["statement: ", "execute "];
        sent.iter().any(|it| told.starts_with(it)).then_some(user)
    })
}
