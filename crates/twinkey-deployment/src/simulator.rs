//! IAM's own simulator: identity-based policies, permissions boundaries and service control policies, not the resources' own.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
    ResourceSpecificResult,
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
    ) -> Result<Option<Refused>, StoreError> {
        let question = Question::new("IAM", "iam:SimulatePrincipalPolicy", role);
        let request = client
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(self.actions.clone()))
            .set_resource_arns(Some(self.resources.clone()))
            .set_context_entries(Some(self.known.clone()))
            .into_paginator()
            .items()
            .send();
        let results = question.answer(request.collect::<Result<Vec<_>, _>>().await)?;
        Ok(results.map(|results| self.unlike(&results)))
    }

    /// What was asked for and is not among what is allowed.
    fn unlike(&self, results: &[EvaluationResult]) -> Refused {
        let mut refused = Refused::default();
        for action in &self.actions {
            let of_it = |it: &&EvaluationResult| it.eval_action_name().eq_ignore_ascii_case(action);
            let results: Vec<_> = results.iter().filter(of_it).collect();
            for resource in &self.resources {
                if results.iter().any(|result| self.allows(result, resource)) {
                    continue;
                }
                let actions = refused.by_resource.entry(resource.clone()).or_default();
                actions.push(action.clone());
                let lacking = results.iter().flat_map(|it| lacking(it));
                refused.lacking.extend(lacking.map(String::from));
            }
        }
        refused
    }

    /// Where each resource has a decision of its own, that one counts; but an organisation's refusal stands beside.
    fn allows(&self, result: &EvaluationResult, resource: &str) -> bool {
        let allowed = PolicyEvaluationDecisionType::Allowed;
        let organization = result.organizations_decision_detail();
        if organization.is_some_and(|it| !it.allowed_by_organizations()) {
            return false;
        }
        let each = result.resource_specific_results();
        if each.is_empty() {
            let is_its = self.resources.len() == 1 || result.eval_resource_name() == Some(resource);
            return is_its && *result.eval_decision() == allowed;
        }
        each.iter().any(|it| {
            it.eval_resource_name() == resource && *it.eval_resource_decision() == allowed
        })
    }
}

/// What a role may not do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The actions, by the resource.
    pub(crate) by_resource: BTreeMap<String, Vec<String>>,
    /// What policies ask for that the simulator was not told. If there is any, the refusal may be none in truth.
    pub(crate) lacking: BTreeSet<String>,
}

impl Refused {
    pub(crate) fn extend(&mut self, other: Self) {
        for (resource, actions) in other.by_resource {
            self.by_resource
                .entry(resource)
                .or_default()
                .extend(actions);
        }
        self.lacking.extend(other.lacking);
    }
}

/// Only what any request may have beside; a service's own keys are told where they matter.
fn lacking(result: &EvaluationResult) -> impl Iterator<Item = &str> {
    let each = result.resource_specific_results().iter();
    let of_each = each.flat_map(ResourceSpecificResult::missing_context_values);
    let of_all = result.missing_context_values().iter();
    let all = of_all.chain(of_each).map(String::as_str);
    all.filter(|key| key.to_ascii_lowercase().starts_with("aws:"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_iam::types::OrganizationsDecisionDetail;

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

    fn of(refused: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
        let refused = refused
            .iter()
            .map(|(it, actions)| ((*it).to_owned(), owned(actions)));
        refused.collect()
    }

    #[test]
    fn what_is_not_said_to_be_allowed_is_refused() {
        let case = Case::new(["a:Read", "a:Write"], vec!["one".into(), "two".into()]);
        assert_eq!(case.size(), 4);
        let one = [("one", Allowed), ("two", ImplicitDeny)];
        let mixed = [
            result("a:read", ImplicitDeny, &one),
            result("a:Write", ExplicitDeny, &[("one", ExplicitDeny)]),
        ];
        let expected = of(&[("one", &["a:Write"]), ("two", &["a:Read", "a:Write"])]);
        assert_eq!(case.unlike(&mixed).by_resource, expected);
        assert_eq!(case.unlike(&[]).by_resource.len(), 2);
    }

    #[test]
    fn a_decision_for_all_is_one_for_each_only_if_there_is_one() {
        let one = Case::new(["a:Read"], vec!["*".into()]);
        let allowed = [result("a:Read", Allowed, &[])];
        assert_eq!(one.unlike(&allowed), Refused::default());
        let two = Case::new(["a:Read"], vec!["one".into(), "two".into()]);
        assert_eq!(two.unlike(&allowed).by_resource.len(), 2);
    }

    #[test]
    fn an_organizations_refusal_stands_beside_and_what_the_simulator_lacks_is_told() {
        let case = Case::new(["a:Read"], vec!["one".into()]);
        let organization = OrganizationsDecisionDetail::builder().allowed_by_organizations(false);
        let mut forbidden = result("a:Read", Allowed, &[("one", Allowed)]);
        forbidden.organizations_decision_detail = Some(organization.build());
        assert_eq!(case.unlike(&[forbidden]).by_resource.len(), 1);
        let mut open = result("a:Read", ImplicitDeny, &[("one", ImplicitDeny)]);
        open.missing_context_values = Some(vec!["aws:TEST".into(), "kms:TEST".into()]);
        let lacking = case.unlike(&[open]).lacking;
        assert_eq!(lacking.into_iter().collect::<Vec<_>>(), ["aws:TEST"]);
    }
}
