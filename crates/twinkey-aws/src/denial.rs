//! What an `AccessDeniedException` says, taken apart.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

/// Which action on which resource, and why not, in words of ours: of the message, only an action
/// and an ARN are passed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denial<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    cause: &'static str,
}

/// What the message says, and how we say it.
const CAUSES: [(&str, &str); 8] = [
    (
        "explicit deny in a service control policy",
        ": a service control policy forbids it",
    ),
    (
        "explicit deny in a permissions boundary",
        ": a permissions boundary forbids it",
    ),
    (
        "explicit deny in a resource-based policy",
        ": the resource's own policy forbids it",
    ),
    (
        "explicit deny in a VPC endpoint policy",
        ": the VPC endpoint's policy forbids it",
    ),
    ("with an explicit deny", ": a policy forbids it"),
    (
        "no identity-based policy allows",
        ": no policy of the caller allows it",
    ),
    (
        "no resource-based policy allows",
        ": the resource's own policy does not allow it",
    ),
    (
        "no permissions boundary allows",
        ": the permissions boundary does not allow it",
    ),
];

impl<'a> Denial<'a> {
    pub(crate) fn parse(message: &'a str) -> Option<Self> {
        let action = word_after(message, "not authorized to perform: ")?;
        let resource = word_after(message, "on resource: ")?;
        let is_action = |byte: u8| byte.is_ascii_alphanumeric() || b":-*".contains(&byte);
        if !action.contains(':') || !action.bytes().all(is_action) {
            return None;
        }
        if resource != "*" && !resource.starts_with("arn:") {
            return None;
        }
        let cause = CAUSES.iter().find(|(said, _)| message.contains(said));
        Some(Self {
            action,
            resource,
            cause: cause.map_or("", |(_, told)| told),
        })
    }

    pub(crate) fn reason(&self) -> String {
        format!("on {}{}", self.resource, self.cause)
    }
}

fn word_after<'a>(message: &'a str, marker: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(marker)?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "User: arn:aws:iam::123456789012:user/TEST is not authorized to perform: \
        secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-central-1:123456789012:secret:TEST";

    #[test]
    fn p11_a_denial_tells_action_and_resource_and_which_policy_it_was() {
        let cases = [
            ("", "secret:TEST"),
            (
                " because no identity-based policy allows the secretsmanager:GetSecretValue action",
                "secret:TEST: no policy of the caller allows it",
            ),
            (
                " with an explicit deny in a service control policy",
                "secret:TEST: a service control policy forbids it",
            ),
            (
                " with an explicit deny in an identity-based policy",
                "secret:TEST: a policy forbids it",
            ),
        ];
        for (end, told) in cases {
            let message = format!("{MESSAGE}{end}");
            let denial = Denial::parse(&message).expect("AWS's wording");
            assert_eq!(denial.action, "secretsmanager:GetSecretValue");
            assert!(denial.reason().ends_with(told), "{denial:?}");
        }
    }

    #[test]
    fn p8_another_wording_is_not_passed_on() {
        for message in [
            "TEST-value",
            "not authorized to perform: TEST-value on resource: arn:aws:TEST",
            "not authorized to perform: a:B on resource: TEST-value",
            "not authorized to perform: a:{\"TEST\"} on resource: *",
        ] {
            assert_eq!(Denial::parse(message), None, "{message}");
        }
    }
}
