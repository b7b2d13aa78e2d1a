"""Makes in an account what a template would make there, resource by resource."""

import io
import json
import zipfile

from provider.stand_in import ACCOUNT, REGION

# What others name comes before them.
ORDER = [
    "AWS::KMS::Key", "AWS::KMS::Alias", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::Serverless::Function", "AWS::Lambda::Permission",
    "AWS::SQS::Queue", "AWS::Scheduler::Schedule", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription", "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard", "AWS::Events::Rule", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::CloudTrail::Trail",
]


def deploy(account, resources):
    keys = {}
    for stack, name, kind, properties in sorted(resources, key=lambda it: ORDER.index(it[2])):
        make = MAKE[kind.removeprefix("AWS::").replace("::", "_")]
        make(account, properties, arn=lambda: stack.ref(name), keys=keys)


def key(account, it, arn, keys):
    # Its material cannot be imported into moto's; so it makes its own.
    made = account.client("kms").create_key(
        Description=it["Description"], KeySpec=it.get("KeySpec", "SYMMETRIC_DEFAULT"), KeyUsage=it.get("KeyUsage", "ENCRYPT_DECRYPT"))
    keys[arn()] = made["KeyMetadata"]["KeyId"]


def alias(account, it, keys, **_):
    account.client("kms").create_alias(AliasName=it["AliasName"], TargetKeyId=keys[it["TargetKeyId"]])


def role(account, it, arn, keys):
    iam, name = account.client("iam"), arn().split("role/")[1]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(it["AssumeRolePolicyDocument"]))
    for policy in it["Policies"]:
        text = json.dumps(policy["PolicyDocument"])
        for named, made in keys.items():
            text = text.replace(named, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{made}")
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=text)


def log(account, it, **_):
    logs = account.client("logs")
    logs.create_log_group(logGroupName=it["LogGroupName"])
    logs.put_retention_policy(logGroupName=it["LogGroupName"], retentionInDays=int(it["RetentionInDays"]))


def function(account, it, **_):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("bootstrap", "TEST")
    client, same = account.client("lambda"), ["FunctionName", "Role", "Handler", "Runtime", "Architectures", "MemorySize", "Timeout"]
    client.create_function(Code={"ZipFile": code.getvalue()}, **{name: it[name] for name in same}, Environment=it.get("Environment", {}))
    if "ReservedConcurrentExecutions" in it:
        client.put_function_concurrency(
            FunctionName=it["FunctionName"], ReservedConcurrentExecutions=int(it["ReservedConcurrentExecutions"]))


def permission(account, it, **_):
    account.client("lambda").add_permission(StatementId="secretsmanager", **it)


def queue(account, it, **_):
    attributes = {name: str(value) for name, value in it.items() if name != "QueueName"}
    account.client("sqs").create_queue(QueueName=it["QueueName"], Attributes=attributes)


def schedule(account, it, **_):
    account.client("scheduler").create_schedule(**it)


def topic(account, it, **_):
    account.client("sns").create_topic(Name=it["TopicName"])


def topic_policy(account, it, **_):
    [arn] = it["Topics"]
    account.client("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(it["PolicyDocument"]))


def subscription(account, it, **_):
    account.client("sns").subscribe(**it)


def alarm(account, it, **_):
    account.client("cloudwatch").put_metric_alarm(**it)


def dashboard(account, it, **_):
    account.client("cloudwatch").put_dashboard(**it)


def rule(account, it, **_):
    events = account.client("events")
    events.put_rule(Name=it["Name"], Description=it["Description"], EventPattern=json.dumps(it["EventPattern"]))
    events.put_targets(Rule=it["Name"], Targets=it["Targets"])


def bucket(account, it, arn, **_):
    account.client("s3").create_bucket(Bucket=arn().rsplit(":", 1)[1], CreateBucketConfiguration={"LocationConstraint": REGION})


def bucket_policy(account, it, **_):
    account.client("s3").put_bucket_policy(Bucket=it["Bucket"].rsplit(":", 1)[1], Policy=json.dumps(it["PolicyDocument"]))


def trail(account, it, **_):
    client = account.client("cloudtrail")
    client.create_trail(
        Name=it["TrailName"], S3BucketName=it["S3BucketName"].rsplit(":", 1)[1], IsMultiRegionTrail=it["IsMultiRegionTrail"],
        IncludeGlobalServiceEvents=it["IncludeGlobalServiceEvents"], EnableLogFileValidation=it["EnableLogFileValidation"])
    client.put_event_selectors(TrailName=it["TrailName"], EventSelectors=it["EventSelectors"])
    client.start_logging(Name=it["TrailName"])


MAKE = {
    "KMS_Key": key, "KMS_Alias": alias, "IAM_Role": role, "Logs_LogGroup": log, "Serverless_Function": function, "Lambda_Permission": permission,
    "SQS_Queue": queue, "Scheduler_Schedule": schedule, "SNS_Topic": topic, "SNS_TopicPolicy": topic_policy, "SNS_Subscription": subscription,
    "CloudWatch_Alarm": alarm, "CloudWatch_Dashboard": dashboard, "Events_Rule": rule, "S3_Bucket": bucket, "S3_BucketPolicy": bucket_policy,
    "CloudTrail_Trail": trail,
}
