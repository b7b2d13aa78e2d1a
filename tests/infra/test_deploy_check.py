"""`twinkey deploy-check` says what is missing of what the templates make, and what is not as it should be.

What is deployed is what the templates say, resource by resource, in moto. What moto does not play stands in account.py.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from account import CREDENTIALS, Account
from cloudformation import Stack
from deploy import ORDER, deploy
from provider.stand_in import ACCOUNT, REGION
from test_templates import ASKED

TWINKEY = os.environ.get("TWINKEY", str(Path(__file__).parents[2] / "target/debug/twinkey"))
RIGHTS = json.loads((Path(__file__).parents[2] / "infra/deploy-check.json").read_text())
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"

# What the check does not look at, and who tells of it instead.
UNSEEN = {
    "AWS::S3::Bucket": "CloudTrail makes no trail without one",
    "AWS::S3::BucketPolicy": "the same",
    "AWS::EC2::SecurityGroup": "a rotation says that it cannot reach the database or Secrets Manager",
    "AWS::EC2::SecurityGroupEgress": "the same",
    "AWS::EC2::SecurityGroupIngress": "the same",
    "AWS::EC2::VPCEndpoint": "the same",
}


@pytest.fixture(scope="session")
def moto():
    return Account()


@pytest.fixture
def account(moto):
    moto.empty()
    return moto


def resources(**parameters):
    return [it for it in Stack("twinkey.yaml", **parameters).resources() if it[2] in ORDER]


def ask(account, *arguments, **environment):
    known = {"AWS_ENDPOINT_URL": account.endpoint, "AWS_REGION": REGION, "HOME": "/nonexistent", **CREDENTIALS, **environment}
    account.called.clear()
    return subprocess.run(
        [TWINKEY, "deploy-check", *arguments], env={name: it for name, it in known.items() if it}, capture_output=True, text=True, timeout=120)


def look(account, *arguments):
    """By subject, what is not as it should be; and whether the command says that all is well."""
    done = ask(account, "--json", *arguments)
    report = json.loads(done.stdout)
    assert (report["account"], report["region"]) == (ACCOUNT, REGION), done.stderr
    assert all(it["state"] in ["ok", "missing", "wrong", "unknown"] for it in report["findings"])
    # Whatever is wrong comes with what to do.
    assert all(("hint" in it) == (it["state"] != "ok") for it in report["findings"])
    problems = {it["subject"]: it for it in report["findings"] if it["state"] != "ok"}
    assert done.returncode == (1 if problems else 0)
    return problems


def states(problems):
    return {subject: it["state"] for subject, it in problems.items()}


@pytest.fixture
def deployed(account):
    deploy(account, resources(Email="nobody@example.com"))
    return account


@pytest.mark.parametrize("asked", ASKED)
def test_of_what_the_templates_make_nothing_is_missing(account, asked):
    parameters, _ = ASKED[asked]
    deploy(account, resources(**{"Email": "nobody@example.com", "MakeTrail": "true", "MakeSigningKey": "true", **parameters}))
    if parameters.get("MakeTrail") == "false":
        trail(account, "of-the-account")
    if parameters.get("MakeSigningKey") == "false":
        key = account.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        account.client("kms").create_alias(AliasName=parameters["SigningAlias"], TargetKeyId=key)
    arguments = ["--name", parameters.get("Name", "twinkey")]
    if "SigningAlias" in parameters:
        arguments += ["--signing-alias", parameters["SigningAlias"]]
    assert look(account, *arguments) == {}


def test_where_nothing_is_deployed_everything_is_missing(account):
    problems = look(account)
    assert set(states(problems).values()) == {"missing"}
    for subject in ["function twinkey-postgres", "alarm twinkey-tick-missing", "schedule twinkey-tick", "topic twinkey", "rule twinkey", "trail",
                    "key alias/twinkey-github-app", "dashboard twinkey", "queue twinkey-tick-undelivered", "log /aws/lambda/twinkey-github"]:
        assert subject in problems, subject


def of(resource):
    stack, name, kind, properties = resource
    if kind == "AWS::IAM::Role":
        name = stack.ref(name).split("role/")[1]
    names = ["FunctionName", "LogGroupName", "AlarmName", "QueueName", "TopicName", "TrailName", "AliasName"]
    return f"{kind} {next((properties[it] for it in names if it in properties), name)}"


@pytest.mark.parametrize("left_out", [of(it) for it in resources(Email="nobody@example.com") if it[2] not in UNSEEN])
def test_each_resource_that_is_missing_is_told(account, left_out):
    given = resources(Email="nobody@example.com")
    [gone] = [it for it in given if of(it) == left_out]
    kind = gone[2]
    # A function needs its role to be made, an alias its key, a topic's policy and subscriptions the topic.
    others = {"AWS::KMS::Key": ["AWS::KMS::Alias"], "AWS::SNS::Topic": ["AWS::SNS::TopicPolicy", "AWS::SNS::Subscription"]}.get(kind, [])
    permission = gone[3].get("FunctionName") if kind == "AWS::Serverless::Function" else None
    is_left = lambda it: (
        (it is not gone or kind == "AWS::IAM::Role") and it[2] not in others
        and not (permission and it[2] == "AWS::Lambda::Permission" and it[3]["FunctionName"].endswith(permission)))
    deploy(account, [it for it in given if is_left(it)])
    if kind == "AWS::IAM::Role":
        remove_role(account, gone[0].ref(gone[1]).split("role/")[1])
    problems = look(account)
    assert problems, "nobody has noticed"
    assert "unknown" not in states(problems).values()
    assert set(problems) == {subject.format(**names(gone)) for subject in TOLD[kind]}, problems


# The subjects by which each kind is told, and what depends on it.
TOLD = {
    "AWS::KMS::Key": ["key {AliasName}"], "AWS::KMS::Alias": ["key {AliasName}"], "AWS::IAM::Role": ["rights of {role}"],
    "AWS::Logs::LogGroup": ["log {LogGroupName}"], "AWS::Serverless::Function": ["function {FunctionName}"],
    "AWS::Lambda::Permission": ["permission of {function}"], "AWS::SQS::Queue": ["queue {QueueName}"],
    "AWS::Scheduler::Schedule": ["schedule {Name}"], "AWS::SNS::Topic": ["topic {TopicName}"], "AWS::SNS::TopicPolicy": ["policy of topic twinkey"],
    "AWS::SNS::Subscription": ["topic twinkey"], "AWS::CloudWatch::Alarm": ["alarm {AlarmName}"],
    "AWS::CloudWatch::Dashboard": ["dashboard {DashboardName}"], "AWS::Events::Rule": ["rule {Name}"], "AWS::CloudTrail::Trail": ["trail"],
}


def names(resource):
    stack, name, kind, properties = resource
    found = {key: it for key, it in properties.items() if isinstance(it, str)}
    if kind == "AWS::IAM::Role":
        role = stack.ref(name).split("role/")[1].removesuffix("-")
        found["role"] = "the schedule " + role.removesuffix("-schedule") if role.endswith("-schedule") else role
    if kind == "AWS::Lambda::Permission":
        found["function"] = properties["FunctionName"].rsplit(":", 1)[1]
    if kind == "AWS::KMS::Key":
        found["AliasName"] = "alias/twinkey-github-app"
    return found


def remove_role(account, name):
    iam = account.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def test_every_kind_of_resource_is_looked_at_or_said_not_to_be():
    made = {it[2] for parameters, _ in ASKED.values() for it in Stack("twinkey.yaml", **parameters).resources()}
    assert made <= {*ORDER, *UNSEEN}
    assert UNSEEN.keys() <= made


def trail(account, name, **selectors):
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    client = account.client("cloudtrail")
    client.create_trail(Name=name, S3BucketName=name)
    if selectors:
        client.put_event_selectors(TrailName=name, **selectors)
    client.start_logging(Name=name)


def update(client, operation, get, **changed):
    """Puts back what is there, with a change."""
    there = {key: it for key, it in get.items() if key not in ["ResponseMetadata", "Arn", "CreationDate", "LastModificationDate"]}
    getattr(client, operation)(**{**there, **changed})


def schedule(account, **changed):
    client = account.client("scheduler")
    there = client.get_schedule(Name="twinkey-tick")
    if "Target" in changed:
        changed["Target"] = {key: it for key, it in {**there["Target"], **changed["Target"]}.items() if it is not None}
    update(client, "update_schedule", there, **changed)


def alarm(account, **changed):
    client = account.client("cloudwatch")
    [there] = client.describe_alarms(AlarmNames=["twinkey-tick-overdue"])["MetricAlarms"]
    known = ["AlarmName", "AlarmDescription", "ActionsEnabled", "AlarmActions", "MetricName", "Namespace", "Statistic", "Dimensions", "Period",
             "EvaluationPeriods", "Threshold", "ComparisonOperator", "TreatMissingData"]
    client.put_metric_alarm(**{key: changed.get(key, there.get(key)) for key in known})


def permission(account, **source):
    client = account.client("lambda")
    client.remove_permission(FunctionName="twinkey-postgres", StatementId="secretsmanager")
    client.add_permission(
        FunctionName="twinkey-postgres", StatementId="other", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com", **source)


def message(account):
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="twinkey-tick-undelivered")["QueueUrl"], MessageBody="TEST")


def unsubscribe(account):
    sns = account.client("sns")
    for it in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=it["SubscriptionArn"])


def key_of_another_kind(account):
    kms = account.client("kms")
    other = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.delete_alias(AliasName="alias/twinkey-github-app")
    kms.create_alias(AliasName="alias/twinkey-github-app", TargetKeyId=other)


def selectors(account, **selector):
    account.client("cloudtrail").put_event_selectors(TrailName="twinkey", EventSelectors=[selector])


def role_policy(account, role, name, change):
    iam = account.client("iam")
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(change(document)))


def without(action):
    def change(document):
        for statement in document["Statement"]:
            if isinstance(statement["Action"], list):
                statement["Action"] = [it for it in statement["Action"] if it != action]
        return document

    return change


def topic_policy(account, change):
    sns, topic = account.client("sns"), f"arn:aws:sns:{REGION}:{ACCOUNT}:twinkey"
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({**policy, "Statement": change(policy["Statement"])}))


def without_service(name):
    return lambda statements: [it for it in statements if it["Principal"]["Service"] != f"{name}.amazonaws.com"]


def rule(account, **changed):
    client = account.client("events")
    there = client.describe_rule(Name="twinkey")
    client.put_rule(**{key: changed.get(key, there[key]) for key in ["Name", "Description", "EventPattern"]})


PATTERN = {"source": ["aws.secretsmanager"], "detail": {"eventName": ["RotationFailed"]}}
# What somebody did, and what is said of it: the subject, and a part of the detail.
WRONG = {
    "a function has too little time": (
        lambda it: it.client("lambda").update_function_configuration(FunctionName="twinkey-github", Timeout=3),
        "function twinkey-github", "too short"),
    "a function has another runtime": (
        lambda it: it.client("lambda").update_function_configuration(FunctionName="twinkey-github", Runtime="python3.13"),
        "function twinkey-github", "python3.13"),
    "a function is stopped": (
        lambda it: it.client("lambda").put_function_concurrency(FunctionName="twinkey-postgres", ReservedConcurrentExecutions=0),
        "concurrency of twinkey-postgres", "turns every invocation away"),
    "any account's Secrets Manager may invoke it": (permission, "permission of twinkey-postgres", "any account"),
    "another account's may": (
        lambda it: permission(it, SourceAccount="444455556666"), "permission of twinkey-postgres", "not for this account alone"),
    "nobody may": (
        lambda it: it.client("lambda").remove_permission(FunctionName="twinkey-postgres", StatementId="secretsmanager"),
        "permission of twinkey-postgres", "may not invoke"),
    "a log is kept for ever": (
        lambda it: it.client("logs").delete_retention_policy(logGroupName="/aws/lambda/twinkey-tick"), "log /aws/lambda/twinkey-tick", "for ever"),
    "the schedule is turned off": (lambda it: schedule(it, State="DISABLED"), "schedule twinkey-tick", "turned off"),
    "the schedule invokes another function": (
        lambda it: schedule(it, Target={"Arn": f"{FUNCTION}twinkey-github"}), "schedule twinkey-tick", "instead of arn:aws:lambda"),
    "the schedule comes once": (
        lambda it: schedule(it, ScheduleExpression="at(2030-01-01T00:00:00)"), "schedule twinkey-tick", "comes once"),
    "the schedule invokes the same function elsewhere": (
        lambda it: schedule(it, Target={"Arn": f"{FUNCTION}twinkey-tick".replace("eu-central-1", "us-east-1")}),
        "schedule twinkey-tick", "us-east-1"),
    "the schedule says nothing": (lambda it: schedule(it, Target={"Input": "{}"}), "schedule twinkey-tick", "rotateDue"),
    "the schedule keeps nothing": (lambda it: schedule(it, Target={"DeadLetterConfig": None}), "schedule twinkey-tick", "no queue"),
    "a tick was not delivered": (message, "queue twinkey-tick-undelivered", "could not be delivered: 1"),
    "an alarm is ringing": (
        lambda it: it.client("cloudwatch").set_alarm_state(AlarmName="twinkey-tick-overdue", StateValue="ALARM", StateReason="TEST"),
        "alarm twinkey-tick-overdue", "in alarm: A secret should have been rotated"),
    "an alarm is muted": (lambda it: alarm(it, ActionsEnabled=False), "alarm twinkey-tick-overdue", "turned off"),
    "an alarm does nothing": (lambda it: alarm(it, AlarmActions=[]), "alarm twinkey-tick-overdue", "tells nobody"),
    "an alarm tells no person": (
        lambda it: alarm(it, AlarmActions=[f"{FUNCTION}TEST"]), "alarm twinkey-tick-overdue", "no topic is among its actions"),
    "nobody has subscribed": (unsubscribe, "topic twinkey", "nobody has subscribed"),
    "EventBridge may not publish": (lambda it: topic_policy(it, without_service("events")), "policy of topic twinkey", "EventBridge may not"),
    "CloudWatch may not publish": (lambda it: topic_policy(it, without_service("cloudwatch")), "policy of topic twinkey", "CloudWatch may not"),
    "nobody may publish": (
        lambda it: topic_policy(it, lambda statements: [*statements, {"Effect": "Deny", "Principal": "*", "Action": "SNS:*"}]),
        "policy of topic twinkey", "may not publish"),
    "the rule is turned off": (lambda it: it.client("events").disable_rule(Name="twinkey"), "rule twinkey", "turned off"),
    "the rule hears only one event": (lambda it: rule(it, EventPattern=json.dumps(PATTERN)), "rule twinkey", "does not hear RotationAbandoned"),
    "the rule hears another service": (
        lambda it: rule(it, EventPattern=json.dumps({"source": ["aws.s3"]})), "rule twinkey", "does not hear aws.secretsmanager"),
    "the rule tells nobody": (lambda it: it.client("events").remove_targets(Rule="twinkey", Ids=["topic"]), "rule twinkey", "no topic"),
    "the trail is stopped": (lambda it: it.client("cloudtrail").stop_logging(Name="twinkey"), "trail", "is stopped"),
    "the trail takes only what reads": (
        lambda it: selectors(it, ReadWriteType="ReadOnly", IncludeManagementEvents=True), "trail", "leaves out"),
    "the trail takes only data": (lambda it: selectors(it, ReadWriteType="All", IncludeManagementEvents=False), "trail", "leaves out"),
    "the App's key is disabled": (
        lambda it: it.client("kms").disable_key(KeyId=it.client("kms").describe_key(KeyId="alias/twinkey-github-app")["KeyMetadata"]["KeyId"]),
        "key alias/twinkey-github-app", "Disabled"),
    "the alias is on a key of another kind": (key_of_another_kind, "key alias/twinkey-github-app", "cannot sign"),
    "a role may not write its log, and so no metric": (
        lambda it: role_policy(it, "twinkey-tick-", "log", without("logs:PutLogEvents")), "rights of twinkey-tick", "logs:PutLogEvents on"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_as_it_should_be_is_told(deployed, what):
    change, subject, detail = WRONG[what]
    assert look(deployed) == {}
    change(deployed)
    problems = look(deployed)
    assert list(problems) == [subject], problems
    assert detail in problems[subject]["detail"]


def rotated(account, name, function="twinkey-postgres", tags=(), **how):
    client = account.client("secretsmanager")
    arn = client.create_secret(Name=name, SecretString="{}", Tags=[{"Key": key, "Value": it} for key, it in tags], **how)["ARN"]
    client.rotate_secret(SecretId=arn, RotationLambdaARN=f"{FUNCTION}{function}", RotationRules={"AutomaticallyAfterDays": 30})
    return arn


def test_secrets_that_are_rotated_are_counted_and_others_are_none_of_our_business(deployed):
    rotated(deployed, "twinkey/postgres/a", tags=[("twinkey:schedule", "rate 1 hour")])
    rotated(deployed, "twinkey/github/b", "twinkey-github")
    deployed.client("secretsmanager").create_secret(Name="another team's", SecretString="{}", Tags=[{"Key": "team", "Value": "shop"}])
    assert look(deployed) == {}
    shown = ask(deployed).stdout
    words = [" ".join(it.split()) for it in shown.splitlines()]
    assert "ok secrets of twinkey-postgres 1 name it" in words
    # What a step calls on each secret, and what the tick does on both.
    assert "ok rights of twinkey-postgres 6 tried, all allowed" in words, shown
    assert "ok rights of twinkey-tick 11 tried, all allowed" in words, shown


def test_a_secret_outside_the_prefix_is_told_with_the_rights_that_its_function_lacks(deployed):
    arn = rotated(deployed, "shop/postgres/a")
    problems = look(deployed)
    assert states(problems) == {"rights of twinkey-postgres": "wrong", "rights of twinkey-tick": "wrong"}
    told = problems["rights of twinkey-postgres"]["detail"]
    assert told == (
        "its role may not secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, secretsmanager:PutSecretValue, "
        f"secretsmanager:UpdateSecretVersionStage on {arn}")
    assert "prefix" in problems["rights of twinkey-tick"]["hint"]


def test_one_secret_outside_the_prefix_is_found_among_many(deployed):
    for number in range(60):
        rotated(deployed, f"twinkey/postgres/{number:02}")
    assert look(deployed) == {}
    arn = rotated(deployed, "zzz/outside")
    assert all(arn in it["detail"] for it in look(deployed).values())


def test_a_secret_with_a_customers_key_that_its_function_may_not_use_is_told(deployed):
    key = deployed.client("kms").create_key()["KeyMetadata"]["KeyId"]
    rotated(deployed, "twinkey/postgres/a", KmsKeyId=key)
    problems = look(deployed)
    assert states(problems) == {"rights of twinkey-postgres": "wrong"}
    told = f"kms:Decrypt, kms:GenerateDataKey on arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"
    assert told in problems["rights of twinkey-postgres"]["detail"]


def test_a_customers_key_that_is_named_by_an_alias_is_found(deployed):
    kms = deployed.client("kms")
    kms.create_alias(AliasName="alias/shop", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    rotated(deployed, "twinkey/postgres/a", KmsKeyId="alias/shop")
    assert states(look(deployed)) == {"rights of twinkey-postgres": "wrong"}
    kms.delete_alias(AliasName="alias/shop")
    assert states(look(deployed)) == {"key alias/shop": "missing"}


def test_a_secret_with_the_key_of_the_templates_is_as_it_should_be(account):
    deploy(account, resources(Email="nobody@example.com", MakeSecretsKey="true"))
    key = account.client("kms").describe_key(KeyId="alias/twinkey-secrets")["KeyMetadata"]["Arn"]
    rotated(account, "twinkey/postgres/a", KmsKeyId=key)
    assert look(account) == {}


def test_a_secret_that_waits_in_vain_is_told(deployed):
    client = deployed.client("secretsmanager")
    client.create_secret(Name="twinkey/postgres/nobody's", SecretString="{}", Tags=[{"Key": "twinkey:schedule", "Value": "rate 1 hour"}])
    rotated(deployed, "twinkey/postgres/wrong", tags=[("twinkey:schedule", "now and then")])
    client.cancel_rotate_secret(SecretId=rotated(deployed, "twinkey/postgres/stopped"))
    rotated(deployed, "twinkey/postgres/ticking", "twinkey-tick", tags=[("twinkey:schedule", "rate 1 hour")])
    problems = look(deployed)
    assert states(problems) == {"secret twinkey/postgres/nobody's": "missing", "secret twinkey/postgres/wrong": "wrong",
                                "secret twinkey/postgres/stopped": "wrong", "secret twinkey/postgres/ticking": "wrong"}
    assert "twinkey:schedule" in problems["secret twinkey/postgres/wrong"]["detail"]


def test_many_alarms_and_secrets_are_read_to_the_last_page(deployed):
    for number in range(120):
        deployed.client("cloudwatch").put_metric_alarm(
            AlarmName=f"twinkey-another-{number:03}", MetricName="TEST", Namespace="TEST", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=0, ComparisonOperator="GreaterThanThreshold")
        deployed.client("secretsmanager").create_secret(Name=f"another/{number:03}", SecretString="{}")
    rotated(deployed, "zzz/outside")
    assert set(look(deployed)) == {"rights of twinkey-postgres", "rights of twinkey-tick"}
    assert deployed.called["secretsmanager:ListSecrets"] == 2


def actions():
    [statement] = RIGHTS["Statement"]
    return statement["Action"]


def test_it_calls_what_its_policy_allows_and_changes_nothing(deployed):
    rotated(deployed, "twinkey/postgres/a")
    assert look(deployed) == {}
    called = sorted(set(deployed.called) - {"sts:GetCallerIdentity"})
    assert called == sorted(actions())
    reads = ("Describe", "Get", "List", "Simulate")
    assert all(it.split(":")[1].startswith(reads) for it in called)
    assert not any(it.startswith("secretsmanager:Get") for it in called)
    # Some forty, says the README.
    assert sum(deployed.called.values()) == 36, deployed.called


@pytest.mark.parametrize("right", actions())
def test_each_right_that_the_caller_lacks_is_named_and_the_rest_is_told_all_the_same(deployed, right):
    deployed.denied.add(right)
    problems = look(deployed)
    assert set(states(problems).values()) == {"unknown"}
    # SNS writes its name in capitals.
    assert all(right.lower() in it["detail"].lower() and right.lower() in it["hint"].lower() for it in problems.values()), problems


def test_people_see_what_is_wrong_last_with_what_to_do(deployed):
    unsubscribe(deployed)
    done = ask(deployed)
    first, *lines = done.stdout.splitlines()
    assert first == f"twinkey in {REGION}, account {ACCOUNT}"
    assert lines[0].startswith("  ok       function twinkey-postgres ")
    assert lines[-3].startswith("  wrong    topic twinkey  nobody has subscribed")
    assert lines[-2].strip().startswith("hint: aws sns subscribe --topic-arn ")
    assert lines[-1] == "1 of 38 is not as it should be"
    assert (done.stderr, done.returncode) == ("", 1)


def test_what_a_policy_asks_for_that_the_simulator_does_not_know_decides_nothing(deployed):
    deny = lambda key, value: {"Sid": key.replace(":", ""), "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {key: value}}}
    # A region-locked account: it is told which region is asked for.
    role_policy(deployed, "twinkey-tick-", "log", lambda it: {**it, "Statement": [*it["Statement"], deny("aws:RequestedRegion", REGION)]})
    assert look(deployed) == {}
    role_policy(deployed, "twinkey-tick-", "log", lambda it: {**it, "Statement": [*it["Statement"], deny("aws:SourceVpce", "vpce-1")]})
    problems = look(deployed)
    assert states(problems) == {"rights of twinkey-tick": "unknown"}
    assert problems["rights of twinkey-tick"]["detail"].endswith("policies ask for aws:SourceVpce")


def test_an_organizations_trail_that_is_closed_to_us_does_not_hide_our_own(deployed):
    trail(deployed, "a-closed-one")
    deployed.closed_trails.add("a-closed-one")
    assert look(deployed) == {}
    deployed.client("cloudtrail").stop_logging(Name="twinkey")
    assert states(look(deployed)) == {"trail": "unknown"}


def test_many_secrets_of_one_trouble_do_not_bury_the_rest(deployed):
    for number in range(60):
        deployed.client("secretsmanager").create_secret(
            Name=f"twinkey/postgres/{number}", SecretString="{}", Tags=[{"Key": "twinkey:schedule", "Value": "rate 1 hour"}])
    assert len(look(deployed)) == 60
    shown = ask(deployed).stdout.splitlines()
    assert len(shown) < 90
    assert shown[-2].startswith("  and 40 more of which it is said: it has tags of twinkey's, and no rotation function")


def test_where_nothing_of_that_name_is_deployed_that_is_said_first(deployed):
    shown = ask(deployed, "--name", "another").stdout.splitlines()
    assert shown[1] == "nothing of this name is here: is it another --name, region or account?"
    # What is the same for many is said once.
    assert len([it for it in shown if "hint: terraform apply" in it]) <= 3


@pytest.mark.parametrize(("environment", "code", "told"), [
    ({"AWS_REGION": ""}, "InvalidRequest", "region"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}, "StoreDenied", "no AWS credentials"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "StoreUnavailable", "GetCallerIdentity"),
])
def test_where_nothing_can_be_asked_that_is_the_one_answer(account, environment, code, told):
    done = ask(account, "--json", **environment)
    error = json.loads(done.stdout)["error"]
    assert (error["error_type"], done.returncode) == (code, 1)
    assert told in error["message"], error


@pytest.mark.parametrize("arguments", [["--name", "Twinkey!"], ["--name", ""], ["--signing-alias", "key/1"], ["twinkey"]])
def test_a_name_that_no_template_takes_is_refused_before_anything_is_asked(account, arguments):
    done = ask(account, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert not account.called
