"""The policies of a template, and a simulator that others wrote.

principalmapper 1.1.5 knows actions, resources and conditions; not the order in which AWS's kinds of policies come, nor what a service
puts into a request. It is no IAM.
"""

import collections
import collections.abc
import json

for name in ["Mapping", "MutableMapping"]:
    # principalmapper is older than Python 3.10, which moved them.
    setattr(collections, name, getattr(collections.abc, name))

from principalmapper.querying.local_policy_simulation import policy_has_matching_statement  # noqa: E402
from principalmapper.util.case_insensitive_dict import CaseInsensitiveDict  # noqa: E402


def of_roles(facts):
    """By role and name. A role is called as in infra/rights.json."""
    found = {}
    for (kind, role), properties in facts.items():
        if kind == "AWS::IAM::Role":
            for path, document in properties.items():
                if path.startswith("Policies."):
                    name = role.removeprefix("twinkey-").removesuffix("-")
                    found.setdefault(name, {})[path.removeprefix("Policies.")] = json.loads(document)
    return found


def statements(policies):
    return [statement for policy in policies.values() for statement in policy["Statement"]]


def listed(value):
    return value if isinstance(value, list) else [value]


def actions(policies, effect="Allow"):
    return sorted({action for it in statements(policies) if it["Effect"] == effect for action in listed(it["Action"])})


def may(policies, action, resource, context):
    """Whether a caller with these policies is let through: one statement allows it and none denies."""
    given = CaseInsensitiveDict(context)
    of = lambda effect: any(policy_has_matching_statement(it, effect, action, resource, given) for it in policies.values())
    return of("Allow") and not of("Deny")


def allowing(policies, action, resource, context):
    """The names of the statements that allow it."""
    given = CaseInsensitiveDict(context)
    one = lambda it: policy_has_matching_statement({"Statement": [it]}, "Allow", action, resource, given)
    return [it["Sid"] for it in statements(policies) if one(it)]
