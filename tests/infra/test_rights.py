"""The rights of the functions: what they need, and nothing else. That they need it, tests/tests/infra shows."""

import json
from pathlib import Path

import parliament
import pytest

import facts
import policies
from cloudformation import Stack

RIGHTS = json.loads((Path(__file__).parents[2] / "infra/rights.json").read_text())
EVERYTHING = {
    "Vpc": "vpc-1", "Subnets": "subnet-1", "DatabaseSecurityGroup": "sg-database", "MakeSecretsKey": "true", "AppSecrets": "twinkey/app/",
    "DatabaseUser": "arn:aws:rds-db:eu-central-1:111122223333:dbuser:db-TEST/rotator",
    "MasterUserSecret": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!db-TEST-TESTab",
}
# Why an ARN cannot stand there. Everything else has one.
UNSCOPED = {
    "secretsmanager:ListSecrets": "AWS knows no resource for it",
    **{action: "Lambda checks it before there is an interface, and a Deny keeps the function from it"
       for action in RIGHTS["postgres"]["dependent"] if action.startswith("ec2:")},
}

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"
OURS, ADMIN, TOKEN, PEM = (f"{SECRET}twinkey/{it}-TESTab" for it in ["postgres/app", "admin/db", "github/token", "app/pem"])
MASTER = EVERYTHING["MasterUserSecret"]
# Of the same kind, and with a name that begins so.
OTHER_MASTERS = [
    f"{SECRET}rds!db-OTHER-TESTab", f"{SECRET}rds!cluster-TEST-TESTab", f"{MASTER}-TESTab", MASTER.removesuffix("ab"),
    MASTER.replace("111122223333", "444455556666"), MASTER.replace("eu-central-1", "us-east-1"),
]
OTHERS = [
    f"{SECRET}other/app-TESTab", f"{SECRET}twinkey/postgres-of-another-team-TESTab", f"{SECRET}twinkey-TESTab",
    OURS.replace("111122223333", "444455556666"), OURS.replace("eu-central-1", "us-east-1"),
]
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/"
LOGS = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/"
DATABASE = "arn:aws:rds-db:eu-central-1:111122223333:dbuser:db-TEST/"
THROUGH = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
SIGNING = {"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256", "kms:ResourceAliases": "alias/twinkey-github-app"}


def encrypting(secret, **context):
    return {"kms:EncryptionContext:SecretARN": secret, **THROUGH, **context}


# By role and statement: what it allows, and beside it what it does not.
CASES = {
    ("postgres", "WriteItsOwnLog"): (
        [("logs:PutLogEvents", f"{LOGS}twinkey-postgres:log-stream:2026", {})],
        [("logs:PutLogEvents", f"{LOGS}twinkey-github:log-stream:2026", {}), ("logs:CreateLogGroup", f"{LOGS}twinkey-postgres", {}),
         ("logs:FilterLogEvents", f"{LOGS}twinkey-postgres:log-stream:2026", {})]),
    ("postgres", "RotateItsSecrets"): (
        [(action, OURS, {}) for action in RIGHTS["postgres"]["called"]],
        [(action, other, {}) for action in RIGHTS["postgres"]["called"] for other in [*OTHERS, TOKEN]]
        + [(f"secretsmanager:{it}", OURS, {}) for it in ["DeleteSecret", "PutResourcePolicy", "RotateSecret", "UpdateSecret", "TagResource"]]),
    ("postgres", "ReadWhatItBorrows"): (
        [("secretsmanager:GetSecretValue", ADMIN, {})],
        [(f"secretsmanager:{it}", ADMIN, {}) for it in ["PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret"]]
        + [("secretsmanager:GetSecretValue", PEM, {})]),
    ("postgres", "ReadMasterUserSecret"): (
        [("secretsmanager:GetSecretValue", MASTER, {})],
        [("secretsmanager:GetSecretValue", other, {}) for other in OTHER_MASTERS]
        + [(f"secretsmanager:{it}", MASTER, {})
           for it in ["PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret", "ListSecretVersionIds", "RotateSecret", "DeleteSecret"]]),
    ("postgres", "EncryptItsSecrets"): (
        [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(OURS)), ("kms:Decrypt", f"{KEY}secrets", encrypting(OURS))],
        [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(ADMIN)), ("kms:Decrypt", f"{KEY}secrets", encrypting(TOKEN)),
         ("kms:Decrypt", f"{KEY}other", encrypting(OURS)), ("kms:Encrypt", f"{KEY}secrets", encrypting(OURS)),
         ("kms:Decrypt", f"{KEY}secrets", {"kms:EncryptionContext:SecretARN": OURS}),
         ("kms:Decrypt", f"{KEY}secrets", encrypting(OURS) | {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}),
         ("kms:Decrypt", f"{KEY}secrets", THROUGH)]),
    ("postgres", "DecryptWhatItBorrows"): (
        [("kms:Decrypt", f"{KEY}secrets", encrypting(ADMIN))],
        [("kms:Decrypt", f"{KEY}secrets", encrypting(PEM)), ("kms:Decrypt", f"{KEY}secrets", {"kms:EncryptionContext:SecretARN": ADMIN})]),
    ("postgres", "DecryptMasterUserSecret"): (
        [("kms:Decrypt", f"{KEY}secrets", encrypting(MASTER))],
        [("kms:Decrypt", f"{KEY}secrets", encrypting(other)) for other in OTHER_MASTERS]
        + [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(MASTER)), ("kms:Decrypt", f"{KEY}other", encrypting(MASTER)),
           ("kms:Decrypt", f"{KEY}secrets", {"kms:EncryptionContext:SecretARN": MASTER}), ("kms:Decrypt", f"{KEY}secrets", THROUGH)]),
    ("postgres", "LogInAsAdmin"): (
        [("rds-db:connect", f"{DATABASE}rotator", {})], [("rds-db:connect", f"{DATABASE}postgres", {})]),
    ("postgres", "LetLambdaAttachIt"): (
        # Lambda itself asks without naming the function as the source.
        [("ec2:CreateNetworkInterface", "arn:aws:ec2:eu-central-1:111122223333:network-interface/eni-1", {})],
        [(action, "*", {"lambda:SourceFunctionArn": f"{FUNCTION}twinkey-postgres"}) for action in UNSCOPED if action.startswith("ec2:")]
        + [("ec2:RunInstances", "*", {})]),
    ("github", "WriteItsOwnLog"): (
        [("logs:CreateLogStream", f"{LOGS}twinkey-github:log-stream:2026", {})],
        [("logs:CreateLogStream", f"{LOGS}twinkey-postgres:log-stream:2026", {})]),
    ("github", "RotateItsSecrets"): (
        [(action, TOKEN, {}) for action in RIGHTS["postgres"]["called"]],
        [(action, other, {}) for action in RIGHTS["postgres"]["called"] for other in [*OTHERS, OURS, ADMIN]]),
    ("github", "ReadWhatItBorrows"): (
        [("secretsmanager:GetSecretValue", PEM, {})],
        [("secretsmanager:PutSecretValue", PEM, {}), *(("secretsmanager:GetSecretValue", it, {}) for it in [ADMIN, MASTER])]),
    ("github", "EncryptItsSecrets"): (
        [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(TOKEN))], [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(OURS))]),
    ("github", "DecryptWhatItBorrows"): (
        [("kms:Decrypt", f"{KEY}secrets", encrypting(PEM))], [("kms:GenerateDataKey", f"{KEY}secrets", encrypting(PEM))]),
    ("github", "SignAsTheApp"): (
        # Whatever key has the alias now, also beside another one.
        [("kms:Sign", f"{KEY}app", SIGNING), ("kms:Sign", f"{KEY}its-successor", SIGNING)],
        [("kms:Sign", f"{KEY}app", SIGNING | {"kms:ResourceAliases": "alias/another"}),
         ("kms:Sign", f"{KEY}app", {"kms:SigningAlgorithm": SIGNING["kms:SigningAlgorithm"]}),
         ("kms:Sign", f"{KEY}app", SIGNING | {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256"}),
         ("kms:Sign", f"{KEY}app".replace("111122223333", "444455556666"), SIGNING),
         ("kms:Decrypt", f"{KEY}app", SIGNING), ("kms:GetPublicKey", f"{KEY}app", SIGNING),
         ("kms:UpdateAlias", f"{KEY}app", SIGNING), ("kms:ScheduleKeyDeletion", f"{KEY}app", SIGNING)]),
    ("tick", "WriteItsOwnLog"): (
        [("logs:PutLogEvents", f"{LOGS}twinkey-tick:log-stream:2026", {})],
        [("logs:PutLogEvents", f"{LOGS}twinkey-postgres:log-stream:2026", {})]),
    ("tick", "SeeWhatIsDue"): (
        [("secretsmanager:ListSecrets", "*", {})],
        # It reads and changes no value, whoever's.
        [(f"secretsmanager:{it}", secret, {}) for it in ["GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]
         for secret in [OURS, TOKEN, ADMIN, MASTER]]),
    ("tick", "LookCloser"): (
        [("secretsmanager:ListSecretVersionIds", OURS, {}), ("secretsmanager:DescribeSecret", TOKEN, {})],
        [("secretsmanager:ListSecretVersionIds", other, {}) for other in [*OTHERS, ADMIN]]),
    ("tick", "AskForRotations"): (
        [("secretsmanager:RotateSecret", OURS, {}), ("secretsmanager:RotateSecret", TOKEN, {"secretsmanager:ModifyRotationRules": "false"}),
         ("secretsmanager:RotateSecret", OURS, {"secretsmanager:RotationLambdaARN": f"{FUNCTION}twinkey-postgres"})],
        [("secretsmanager:RotateSecret", other, {}) for other in [*OTHERS, ADMIN, MASTER]]
        + [("secretsmanager:RotateSecret", OURS, {"secretsmanager:ModifyRotationRules": "true"}),
           ("secretsmanager:RotateSecret", OURS, {"secretsmanager:RotationLambdaARN": f"{FUNCTION}another"}),
           ("secretsmanager:CancelRotateSecret", OURS, {})]),
    ("tick", "ByTheseFunctions"): (
        [("lambda:InvokeFunction", f"{FUNCTION}twinkey-postgres", {}), ("lambda:InvokeFunction", f"{FUNCTION}twinkey-github", {})],
        [("lambda:InvokeFunction", f"{FUNCTION}twinkey-tick", {}), ("lambda:InvokeFunction", f"{FUNCTION}another", {}),
         ("lambda:UpdateFunctionCode", f"{FUNCTION}twinkey-postgres", {})]),
    ("tick-schedule", "InvokeTheTick"): (
        [("lambda:InvokeFunction", f"{FUNCTION}twinkey-tick", {})], [("lambda:InvokeFunction", f"{FUNCTION}twinkey-postgres", {})]),
    ("tick-schedule", "KeepWhatCannotBeDelivered"): (
        [("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:twinkey-tick-undelivered", {})],
        [("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:another", {}),
         ("sqs:ReceiveMessage", "arn:aws:sqs:eu-central-1:111122223333:twinkey-tick-undelivered", {})]),
}


@pytest.fixture(scope="module")
def made():
    return facts.of_cloudformation(Stack("twinkey.yaml", **EVERYTHING).resources())


@pytest.fixture(scope="module")
def roles(made):
    # test_templates.py holds Terraform's to the same.
    return policies.of_roles(made)


def test_each_role_may_do_what_is_called_and_what_depends_on_it_and_nothing_else(roles):
    assert sorted(roles) == sorted(RIGHTS)
    for role, rights in RIGHTS.items():
        assert policies.actions(roles[role]) == sorted([*rights["called"], *rights["dependent"]]), role


def test_where_an_arn_can_stand_one_does(roles):
    for role, found in roles.items():
        for statement in policies.statements(found):
            for action in policies.listed(statement["Action"]):
                assert "*" not in action, (role, statement)
                if "*" in policies.listed(statement["Resource"]):
                    assert action in UNSCOPED, (role, statement)


def test_every_statement_has_a_case_that_it_allows_and_one_that_is_refused(roles):
    there = {(role, it["Sid"]) for role, found in roles.items() for it in policies.statements(found) if it["Effect"] == "Allow"}
    assert there == CASES.keys()


@pytest.mark.parametrize(("role", "statement"), CASES)
def test_what_is_allowed_and_what_is_refused(roles, role, statement):
    allowed, refused = CASES[role, statement]
    for case in allowed:
        assert policies.may(roles[role], *case), case
        assert policies.allowing(roles[role], *case) == [statement], case
    for case in refused:
        assert not policies.may(roles[role], *case), case


# What parliament 1.6.4 says, by role, policy and kind, and why it stays.
EXCUSED = {
    ("github", "sign", "UNKNOWN_CONDITION_FOR_ACTION"): (
        "kms:ResourceAliases", "its list is older: the vendor has this key for every operation on a KMS key",
        "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"),
    ("postgres", "network", "UNKNOWN_CONDITION_FOR_ACTION"): (
        "lambda:SourceFunctionArn", "Lambda puts this key into every call of a function's, whatever the service",
        "https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html"),
    ("postgres", "network", "RESOURCE_STAR"): (
        "ec2:", UNSCOPED["ec2:CreateNetworkInterface"], "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"),
}


def test_parliament_finds_nothing_that_is_not_excused(roles):
    found = {}
    for role, documents in roles.items():
        for name, document in documents.items():
            for it in parliament.analyze_policy_string(json.dumps(document)).findings:
                found.setdefault((role, name, it.issue), []).append(str(it))
    for where, told in found.items():
        assert where in EXCUSED and all(EXCUSED[where][0] in it for it in told), (where, told)
    assert found.keys() == EXCUSED.keys(), "an excuse that is no longer needed"


def test_parliament_finds_something_where_there_is_something():
    wrong = {"Effect": "Allow", "Action": "kms:Sing", "Resource": f"{KEY}app"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [wrong]})
    assert parliament.analyze_policy_string(document).findings


def resource_policy(principal, action, resource, condition):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    assert principal.endswith(".amazonaws.com"), principal
    return {"policy": {"Statement": [statement]}}


@pytest.mark.parametrize("function", ["twinkey-postgres", "twinkey-github"])
def test_only_this_accounts_secrets_may_trigger_a_rotation_function(made, function):
    permission = made["AWS::Lambda::Permission", function]
    assert permission["Principal"] == "secretsmanager.amazonaws.com"
    document = resource_policy(
        permission["Principal"], permission["Action"], f"{FUNCTION}{function}", {"StringEquals": {"aws:SourceAccount": permission["SourceAccount"]}})
    ask = lambda account: policies.may(document, "lambda:InvokeFunction", f"{FUNCTION}{function}", {"aws:SourceAccount": account})
    assert ask("111122223333")
    assert not ask("444455556666")
    assert not policies.may(document, "lambda:InvokeFunction", f"{FUNCTION}{function}", {})


def test_nobody_but_the_scheduler_may_invoke_the_tick(made):
    assert ("AWS::Lambda::Permission", "twinkey-tick") not in made
    trust = json.loads(made["AWS::IAM::Role", "twinkey-tick-schedule-"]["AssumeRolePolicyDocument"])
    [statement] = trust["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    document = resource_policy(statement["Principal"]["Service"], statement["Action"], "*", statement["Condition"])
    assert policies.may(document, "sts:AssumeRole", "*", {"aws:SourceAccount": "111122223333"})
    assert not policies.may(document, "sts:AssumeRole", "*", {"aws:SourceAccount": "444455556666"})


def test_only_this_accounts_alarms_may_publish_and_eventbridge_which_takes_no_condition(made):
    [properties] = [it for (kind, _), it in made.items() if kind == "AWS::SNS::TopicPolicy"]
    alarms, rules = json.loads(properties["PolicyDocument"])["Statement"]
    topic = "arn:aws:sns:eu-central-1:111122223333:twinkey"
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ask = lambda account: policies.may({"policy": {"Statement": [alarms]}}, "sns:Publish", topic, {"aws:SourceAccount": account})
    assert ask("111122223333")
    assert not ask("444455556666")
    # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge."
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    assert rules["Principal"] == {"Service": "events.amazonaws.com"} and "Condition" not in rules
    assert rules["Action"] == "sns:Publish" and rules["Resource"] == topic


def test_only_this_trail_may_write_to_its_bucket(made):
    [properties] = [it for (kind, _), it in made.items() if kind == "AWS::S3::BucketPolicy"]
    document = {"policy": json.loads(properties["PolicyDocument"])}
    bucket = "arn:aws:s3:::twinkey-trail-bucket"
    trail = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/twinkey"
    log = f"{bucket}/AWSLogs/111122223333/CloudTrail/eu-central-1/TEST"
    ask = lambda key, **given: policies.may(
        document, "s3:PutObject", key, {"s3:x-amz-acl": "bucket-owner-full-control"} | {it.replace("_", ":"): given[it] for it in given})
    assert ask(log, aws_SourceArn=trail)
    assert not ask(log, aws_SourceArn=trail.replace("111122223333", "444455556666"))
    assert not ask(f"{bucket}/AWSLogs/444455556666/TEST", aws_SourceArn=trail)
    assert not ask(log, aws_SourceArn=trail, aws_SecureTransport="false")
    assert not policies.may(document, "s3:DeleteObject", log, {"aws:SourceArn": trail})
