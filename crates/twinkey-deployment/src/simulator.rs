//! IAM's own simulator: identity-based policies, permissions boundaries and service control policies, not the resources' own.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html>

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};
use twinkey_core::StoreError;

use crate::question::Question;

/// What is asked in one call: each action on each resource.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    actions: Vec<String>,
    resources: Vec<String>,
    known: Vec<ContextEntry>,
}

impl Case {
    pub(crate) fn new<A: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: Vec<String>,
    ) -> Self {
        Self {
            actions: actions.into_iter().map(Into::into).collect(),
            resources,
            known: Vec::new(),
        }
    }

    /// What the request would have beside, for conditions.
    pub(crate) fn knowing(
        mut self,
        key: &str,
        kind: ContextKeyTypeEnum,
        value: impl Into<String>,
    ) -> Self {
        let entry = ContextEntry::builder()
            .context_key_name(key)
            .context_key_type(kind)
            .context_key_values(value);
        self.known.push(entry.build());
        self
    }

    /// How many decisions it asks for.
    pub(crate) fn size(&self) -> usize {
        self.actions.len() * self.resources.len()
    }

    /// What a role may not do of it; none if there is no such role. One call for each hundred decisions.
    pub(crate) async fn refused(
        &self,
        client: &Client,
        role: &str,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let question = Question::new("IAM", "iam:SimulatePrincipalPolicy", role);
        let (mut results, mut marker) = (Vec::new(), None);
        loop {
            let request = client
                .simulate_principal_policy()
                .policy_source_arn(role)
                .set_action_names(Some(self.actions.clone()))
                .set_resource_arns(Some(self.resources.clone()))
                .set_context_entries(Some(self.known.clone()))
                .set_marker(marker);
            let Some(page) = question.answer(request.send().await)? else {
                return Ok(None);
            };
            results.extend(page.evaluation_results.unwrap_or_default());
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(Some(self.unlike(&results)));
            }
        }
    }

    /// What was asked for and is not among what is allowed.
    fn unlike(&self, results: &[EvaluationResult]) -> Vec<String> {
        let mut refused = Vec::new();
        for action in &self.actions {
            let of_it = |it: &&EvaluationResult| it.eval_action_name().eq_ignore_ascii_case(action);
            for resource in &self.resources {
                let mut answers = results.iter().filter(of_it);
                if !answers.any(|result| allows(result, resource)) {
                    refused.push(format!("{action} on {resource}"));
                }
            }
        }
        refused
    }
}

/// Where each resource has a decision of its own, that one counts.
fn allows(result: &EvaluationResult, resource: &str) -> bool {
    let allowed = PolicyEvaluationDecisionType::Allowed;
    let each = result.resource_specific_results();
    if each.is_empty() {
        return *result.eval_decision() == allowed;
    }
    each.iter()
        .any(|it| it.eval_resource_name() == resource && *it.eval_resource_decision() == allowed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_iam::types::ResourceSpecificResult;

    use super::*;
    use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};

    fn result(
        action: &str,
        whole: PolicyEvaluationDecisionType,
        each: &[(&str, PolicyEvaluationDecisionType)],
    ) -> EvaluationResult {
        let each = each.iter().map(|(resource, decision)| {
            let built = ResourceSpecificResult::builder()
                .eval_resource_name(*resource)
                .eval_resource_decision(decision.clone());
            built.build().unwrap()
        });
        EvaluationResult::builder()
            .eval_action_name(action)
            .eval_decision(whole)
            .set_resource_specific_results(Some(each.collect()))
            .build()
            .unwrap()
    }

    #[test]
    fn what_is_not_said_to_be_allowed_is_refused() {
        let case = Case::new(["a:Read", "a:Write"], vec!["one".into(), "two".into()]);
        assert_eq!(case.size(), 4);
        let mixed = [
            result(
                "a:read",
                ImplicitDeny,
                &[("one", Allowed), ("two", ImplicitDeny)],
            ),
            result("a:Write", ExplicitDeny, &[("one", ExplicitDeny)]),
        ];
        let refused = ["a:Read on two", "a:Write on one", "a:Write on two"];
        assert_eq!(case.unlike(&mixed), refused);
        assert_eq!(case.unlike(&[]).len(), 4);
    }

    #[test]
    fn a_decision_for_all_resources_is_one_for_each() {
        let case = Case::new(["a:Read"], vec!["*".into()]);
        assert!(case.unlike(&[result("a:Read", Allowed, &[])]).is_empty());
        assert_eq!(case.unlike(&[result("a:Read", ImplicitDeny, &[])]).len(), 1);
    }
}
