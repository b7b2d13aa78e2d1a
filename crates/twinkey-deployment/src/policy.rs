//! A resource's own policy, as far as it says which services may do something.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::Value;

/// The statements of a policy; one that cannot be read has none.
pub(crate) struct Policy(Vec<Value>);

/// One statement that applies to a service and an action.
pub(crate) struct Statement<'a>(&'a Value);

impl Policy {
    pub(crate) fn parse(text: &str) -> Self {
        let policy: Value = serde_json::from_str(text).unwrap_or_default();
        Self(match &policy["Statement"] {
            Value::Array(statements) => statements.clone(),
            one => vec![one.clone()],
        })
    }

    /// What it says of a service's use of an action, `sns:Publish`.
    pub(crate) fn of(&self, service: &str, action: &str) -> Vec<Statement<'_>> {
        let applies = |statement: &&Value| {
            let principal = &statement["Principal"];
            let is_named = principal == "*"
                || listed(&principal["AWS"]).any(|it| it == "*")
                || listed(&principal["Service"]).any(|it| it == service);
            is_named && listed(&statement["Action"]).any(|it| covers(it, action))
        };
        self.0.iter().filter(applies).map(Statement).collect()
    }
}

impl Statement<'_> {
    pub(crate) fn denies(&self) -> bool {
        self.0["Effect"] == "Deny"
    }

    pub(crate) fn is_unconditional(&self) -> bool {
        let conditions = self.0["Condition"].as_object();
        conditions.is_none_or(serde_json::Map::is_empty)
    }

    /// Whether some condition on one of these keys has a value of which this is true. Keys have no case.
    pub(crate) fn requires(&self, keys: &[&str], is_met: impl Fn(&str) -> bool) -> bool {
        let conditions = self.0["Condition"].as_object().into_iter().flatten();
        let tests = conditions
            .filter_map(|(_, test)| test.as_object())
            .flatten();
        tests
            .filter(|(key, _)| keys.iter().any(|it| it.eq_ignore_ascii_case(key)))
            .any(|(_, value)| listed(value).any(&is_met))
    }
}

/// A text is a list of one.
fn listed(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    let many = value.as_array().into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}

/// Actions have no case, and may end in a star.
fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(statement: &Value, service: &str) -> usize {
        let policy = Policy::parse(&json!({ "Statement": statement }).to_string());
        policy.of(service, "sns:Publish").len()
    }

    #[test]
    fn a_statement_applies_however_it_is_written() {
        let events = "events.amazonaws.com";
        for (principal, action) in [
            (json!({"Service": events}), json!("sns:Publish")),
            (
                json!({"Service": ["TEST", events]}),
                json!(["SNS:Subscribe", "SNS:Publish"]),
            ),
            (json!("*"), json!("SNS:*")),
            (json!({"AWS": "*"}), json!("*")),
        ] {
            let statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
            assert_eq!(count(&statement, events), 1, "{statement}");
            assert_eq!(count(&json!([statement, statement]), events), 2);
        }
        let others =
            json!({"Effect": "Allow", "Principal": {"Service": "TEST"}, "Action": "sns:Publish"});
        assert_eq!(count(&others, events), 0);
        let other = json!({"Effect": "Allow", "Principal": "*", "Action": "sns:Subscribe"});
        assert_eq!(count(&other, events), 0);
        for broken in ["", "{", "[]", "{\"Statement\": 1}"] {
            assert!(Policy::parse(broken).of(events, "sns:Publish").is_empty());
        }
    }

    #[test]
    fn a_condition_is_found_by_its_key_whatever_its_case() {
        let policy = json!({"Statement": {"Principal": "*", "Action": "*", "Effect": "Allow",
            "Condition": {"StringEquals": {"AWS:SourceAccount": ["1", "2"]}}}});
        let policy = Policy::parse(&policy.to_string());
        let [statement] = &policy.of("TEST", "a:B")[..] else {
            panic!("one statement")
        };
        assert!(!statement.is_unconditional() && !statement.denies());
        assert!(statement.requires(&["aws:SourceAccount"], |it| it == "2"));
        assert!(!statement.requires(&["aws:SourceAccount"], |it| it == "3"));
        assert!(!statement.requires(&["aws:SourceArn"], |_| true));
    }
}
