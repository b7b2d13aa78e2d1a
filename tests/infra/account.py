"""An account, to which what our templates make is deployed, and which tells what was called.

It is moto's, with two things of ours. IAM's simulator, which moto has not, is played by principalmapper's, over the policies of the roles that are
there. And any action can be denied, in the words of AWS.
"""

import json
import logging
import os
import urllib.request
from collections import Counter
from functools import cache

from provider.stand_in import ACCOUNT, REGION

os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT

import boto3  # noqa: E402
from moto.core.config import default_user_config  # noqa: E402
from moto.core.responses import BaseResponse  # noqa: E402
from moto.iam.exceptions import NotFoundException  # noqa: E402
from moto.iam.models import iam_backends  # noqa: E402
from moto.iam.responses import IamResponse  # noqa: E402
from moto.moto_server.threaded_moto_server import ThreadedMotoServer  # noqa: E402

import policies  # noqa: E402

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "TEST-key", "AWS_SECRET_ACCESS_KEY": "TEST-secret"}


class Account:
    """`called` counts actions; those in `denied` are refused, and those on a trail in `closed_trails`."""

    def __init__(self):
        default_user_config["lambda"]["use_docker"] = False
        self.called, self.denied, self.closed_trails = Counter(), set(), set()
        answer = BaseResponse.call_action

        def call_action(response):
            prefix, action = response.service_name, response._get_action()
            # moto's one name that is not the policies'.
            action = f"{prefix.removeprefix('aws')}:{action}"
            self.called[action] += 1
            is_closed = any(it in response.body for it in self.closed_trails) if prefix == "cloudtrail" else False
            return refusal(response, action) if action in self.denied or is_closed else answer(response)

        BaseResponse.call_action = call_action
        IamResponse.simulate_principal_policy = simulate_principal_policy
        # Its lines on each request.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"

    @cache
    def client(self, service):
        id, secret = CREDENTIALS.values()
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=id, aws_secret_access_key=secret)

    def empty(self):
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", b"")).read()
        self.called.clear()
        self.denied.clear()
        self.closed_trails.clear()


def refusal(response, action):
    """In the protocol of the request. SNS has words of its own."""
    code = "AuthorizationError" if action.startswith("sns:") else "AccessDenied"
    action = action.replace("sns:", "SNS:")
    told = f"User: arn:aws:iam::{ACCOUNT}:user/TEST is not authorized to perform: {action} on resource: *"
    kind = response.headers.get("Content-Type", "")
    if "form" in kind:
        body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{told}</Message></Error></ErrorResponse>"
        return 403, {"Content-Type": "text/xml"}, body
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "AccessDeniedException"}
    return 403, headers, json.dumps({"__type": "AccessDeniedException", "message": told})


def simulate_principal_policy(response):
    """One result for each action, and in it one for each resource.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    query = response.querystring
    asked = lambda name: [query[key][0] for key in query if key.startswith(f"{name}.member.")]
    values = lambda key: query[key.replace("ContextKeyName", "ContextKeyValues.member.1")][0]
    context = {query[key][0]: values(key) for key in query if key.endswith(".ContextKeyName")}
    found = of_role(query["PolicySourceArn"][0])
    decide = lambda action, resource: "allowed" if policies.may(found, action, resource, context) else "implicitDeny"
    results = []
    for action in asked("ActionNames"):
        each = {resource: decide(action, resource) for resource in asked("ResourceArns")}
        whole = "allowed" if set(each.values()) == {"allowed"} else "implicitDeny"
        lacking = "".join(f"<member>{key}</member>" for key in keys_of_conditions(found) if key not in context)
        details = "".join(
            f"<member><EvalResourceName>{resource}</EvalResourceName><EvalResourceDecision>{it}</EvalResourceDecision>"
            f"<MissingContextValues>{lacking}</MissingContextValues></member>"
            for resource, it in each.items())
        results.append(
            f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>{whole}</EvalDecision>"
            f"<ResourceSpecificResults>{details}</ResourceSpecificResults></member>")
    return (
        "<SimulatePrincipalPolicyResponse xmlns='https://iam.amazonaws.com/doc/2010-05-08/'><SimulatePrincipalPolicyResult>"
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>")


def keys_of_conditions(found):
    tests = [test for it in policies.statements(found) for test in it.get("Condition", {}).values()]
    return sorted({key for test in tests for key in test})


def of_role(arn):
    for role in iam_backends[ACCOUNT]["aws"].roles.values():
        if role.arn == arn:
            return {name: json.loads(text) if isinstance(text, str) else text for name, text in role.policies.items()}
    raise NotFoundException(f"{arn} cannot be found")
