"""What either of our two templates would make, in the words of CloudFormation, so that both can be compared.

A property that is set in one of them and that nobody has translated here is an error: nothing drifts apart unseen.
"""

import json

# Terraform's types in CloudFormation's words: the type, and property by property. A resource that CloudFormation has as a part of another
# names the type of that other.
SAME = {
    "aws_lambda_function": ("AWS::Serverless::Function", {
        "function_name": "FunctionName", "role": "Role", "handler": "Handler", "runtime": "Runtime", "architectures": "Architectures",
        "memory_size": "MemorySize", "timeout": "Timeout", "reserved_concurrent_executions": "ReservedConcurrentExecutions",
        "vpc_config.subnet_ids": "VpcConfig.SubnetIds", "vpc_config.security_group_ids": "VpcConfig.SecurityGroupIds",
        "environment.variables": "Environment.Variables", "filename": "CodeUri", "source_code_hash": None}),
    "aws_lambda_function_event_invoke_config": ("AWS::Serverless::Function", {
        "function_name": "FunctionName", "maximum_retry_attempts": "EventInvokeConfig.MaximumRetryAttempts",
        "maximum_event_age_in_seconds": "EventInvokeConfig.MaximumEventAgeInSeconds"}),
    "aws_lambda_permission": ("AWS::Lambda::Permission", {
        "function_name": "FunctionName", "action": "Action", "principal": "Principal", "source_account": "SourceAccount",
        "statement_id": None}),
    "aws_cloudwatch_log_group": ("AWS::Logs::LogGroup", {"name": "LogGroupName", "retention_in_days": "RetentionInDays"}),
    "aws_iam_role": ("AWS::IAM::Role", {"name_prefix": "Name", "assume_role_policy": "AssumeRolePolicyDocument"}),
    "aws_iam_role_policy": ("AWS::IAM::Role", {"role": "Name", "name": None, "policy": "Policies.{name}"}),
    "aws_sqs_queue": ("AWS::SQS::Queue", {
        "name": "QueueName", "sqs_managed_sse_enabled": "SqsManagedSseEnabled", "message_retention_seconds": "MessageRetentionPeriod"}),
    "aws_scheduler_schedule": ("AWS::Scheduler::Schedule", {
        "name": "Name", "description": "Description", "schedule_expression": "ScheduleExpression",
        "flexible_time_window.mode": "FlexibleTimeWindow.Mode", "target.arn": "Target.Arn", "target.role_arn": "Target.RoleArn",
        "target.input": "Target.Input", "target.retry_policy.maximum_retry_attempts": "Target.RetryPolicy.MaximumRetryAttempts",
        "target.retry_policy.maximum_event_age_in_seconds": "Target.RetryPolicy.MaximumEventAgeInSeconds",
        "target.dead_letter_config.arn": "Target.DeadLetterConfig.Arn"}),
    "aws_cloudwatch_metric_alarm": ("AWS::CloudWatch::Alarm", {
        "alarm_name": "AlarmName", "alarm_description": "AlarmDescription", "namespace": "Namespace", "metric_name": "MetricName",
        "dimensions": "Dimensions", "statistic": "Statistic", "period": "Period", "evaluation_periods": "EvaluationPeriods",
        "threshold": "Threshold", "comparison_operator": "ComparisonOperator", "treat_missing_data": "TreatMissingData",
        "alarm_actions": "AlarmActions", "metric_query": "Metrics"}),
    "aws_sns_topic": ("AWS::SNS::Topic", {"name": "TopicName"}),
    "aws_sns_topic_policy": ("AWS::SNS::TopicPolicy", {"arn": "Topics", "policy": "PolicyDocument"}),
    "aws_sns_topic_subscription": ("AWS::SNS::Subscription", {"topic_arn": "TopicArn", "protocol": "Protocol", "endpoint": "Endpoint"}),
    "aws_cloudwatch_event_rule": ("AWS::Events::Rule", {"name": "Name", "description": "Description", "event_pattern": "EventPattern"}),
    "aws_cloudwatch_event_target": ("AWS::Events::Rule", {
        "rule": "Name", "target_id": "Targets.Id", "arn": "Targets.Arn",
        "input_transformer.input_paths": "Targets.InputTransformer.InputPathsMap",
        "input_transformer.input_template": "Targets.InputTransformer.InputTemplate"}),
    "aws_cloudwatch_dashboard": ("AWS::CloudWatch::Dashboard", {"dashboard_name": "DashboardName", "dashboard_body": "DashboardBody"}),
    "aws_kms_external_key": ("AWS::KMS::Key", {
        "description": "Description", "key_spec": "KeySpec", "key_usage": "KeyUsage", "policy": "KeyPolicy"}),
    "aws_kms_key": ("AWS::KMS::Key", {"description": "Description", "enable_key_rotation": "EnableKeyRotation", "policy": "KeyPolicy"}),
    "aws_kms_alias": ("AWS::KMS::Alias", {"name": "AliasName", "target_key_id": "TargetKeyId"}),
    "aws_cloudtrail": ("AWS::CloudTrail::Trail", {
        "name": "TrailName", "s3_bucket_name": "S3BucketName", "enable_logging": "IsLogging", "is_multi_region_trail": "IsMultiRegionTrail",
        "include_global_service_events": "IncludeGlobalServiceEvents", "enable_log_file_validation": "EnableLogFileValidation",
        "event_selector.read_write_type": "EventSelectors.ReadWriteType",
        "event_selector.include_management_events": "EventSelectors.IncludeManagementEvents"}),
    "aws_s3_bucket": ("AWS::S3::Bucket", {"bucket_prefix": None, "arn": "Bucket"}),
    "aws_s3_bucket_server_side_encryption_configuration": ("AWS::S3::Bucket", {
        "bucket": "Bucket", "rule.apply_server_side_encryption_by_default.sse_algorithm":
        "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm"}),
    "aws_s3_bucket_public_access_block": ("AWS::S3::Bucket", {
        "bucket": "Bucket", "block_public_acls": "PublicAccessBlockConfiguration.BlockPublicAcls",
        "block_public_policy": "PublicAccessBlockConfiguration.BlockPublicPolicy",
        "ignore_public_acls": "PublicAccessBlockConfiguration.IgnorePublicAcls",
        "restrict_public_buckets": "PublicAccessBlockConfiguration.RestrictPublicBuckets"}),
    "aws_s3_bucket_versioning": ("AWS::S3::Bucket", {
        "bucket": "Bucket", "versioning_configuration.status": "VersioningConfiguration.Status"}),
    "aws_s3_bucket_lifecycle_configuration": ("AWS::S3::Bucket", {
        "bucket": "Bucket", "rule.id": "LifecycleConfiguration.Rules.Id", "rule.status": "LifecycleConfiguration.Rules.Status",
        "rule.expiration.days": "LifecycleConfiguration.Rules.ExpirationInDays",
        "rule.noncurrent_version_expiration.noncurrent_days": "LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NoncurrentDays",
        "rule.abort_incomplete_multipart_upload.days_after_initiation":
        "LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation"}),
    "aws_s3_bucket_policy": ("AWS::S3::BucketPolicy", {"bucket": "Bucket", "policy": "PolicyDocument"}),
    "aws_security_group": ("AWS::EC2::SecurityGroup", {"description": "GroupDescription", "vpc_id": "VpcId", "name_prefix": None}),
    "aws_vpc_security_group_egress_rule": ("AWS::EC2::SecurityGroupEgress", {
        "security_group_id": "GroupId", "description": "Description", "ip_protocol": "IpProtocol", "from_port": "FromPort",
        "to_port": "ToPort", "referenced_security_group_id": "DestinationSecurityGroupId"}),
    "aws_vpc_security_group_ingress_rule": ("AWS::EC2::SecurityGroupIngress", {
        "security_group_id": "GroupId", "description": "Description", "ip_protocol": "IpProtocol", "from_port": "FromPort",
        "to_port": "ToPort", "referenced_security_group_id": "SourceSecurityGroupId"}),
    "aws_vpc_endpoint": ("AWS::EC2::VPCEndpoint", {
        "vpc_id": "VpcId", "vpc_endpoint_type": "VpcEndpointType", "service_name": "ServiceName", "subnet_ids": "SubnetIds",
        "security_group_ids": "SecurityGroupIds", "private_dns_enabled": "PrivateDnsEnabled", "policy": "PolicyDocument"}),
    "aws_secretsmanager_secret": ("AWS::SecretsManager::Secret", {"name": "Name", "description": "Description", "tags": "Tags"}),
    "aws_secretsmanager_secret_rotation": ("AWS::SecretsManager::RotationSchedule", {
        "secret_id": "SecretId", "rotation_lambda_arn": "RotationLambdaARN", "rotate_immediately": "RotateImmediatelyOnUpdate",
        "rotation_rules.schedule_expression": "RotationRules.ScheduleExpression"}),
}
# By what a resource is known in both; for the rest, by all that is set.
KEYS = [
    "FunctionName", "LogGroupName", "Name", "QueueName", "AlarmName", "TopicName", "Topics", "DashboardName", "AliasName", "TrailName", "Bucket",
    "GroupDescription", "ServiceName", "SecretId", "TopicArn",
]
# Set in CloudFormation, where Terraform has no such word: it is what its type does by itself.
OWN = {
    ("AWS::KMS::Key", "Origin"): "EXTERNAL",
    ("AWS::IAM::Role", "Policies"): "each is a resource of its own there",
}
WHOLE = {"variables", "dimensions", "input_paths", "tags", "Variables", "InputPathsMap"}
DOCUMENTS = {
    "policy", "assume_role_policy", "event_pattern", "dashboard_body", "AssumeRolePolicyDocument", "PolicyDocument", "KeyPolicy", "EventPattern",
    "DashboardBody",
}


def of_terraform(resources):
    """By type and key, what is set."""
    facts = {}
    for resource in resources:
        if resource["mode"] == "data":
            continue
        kind, words = SAME[resource["type"]]
        name = resource["values"].get("name")
        told = set(told_by(resource["type"]))
        translated = {}
        for path, value in flat(resource["values"]):
            if path in words:
                word = words[path]
            elif path in told or path.endswith((".return_data", "filter")):
                continue
            else:
                raise AssertionError(f"{resource['address']}: {path} = {value!r} is not translated")
            if word is not None:
                translated[word.format(name=name)] = value
        add(facts, kind, translated)
    return facts


def of_cloudformation(resources):
    facts = {}
    for stack, name, kind, properties in resources:
        if kind == "AWS::IAM::Role":
            role = stack.ref(name).split("role/")[1]
            policies = {f"Policies.{it['PolicyName']}": normal(it["PolicyDocument"]) for it in properties.pop("Policies")}
            properties["Name"] = role
        else:
            policies = {}
        if kind == "AWS::EC2::SecurityGroup":
            group = "sg: " + properties["GroupDescription"]
            for rule in properties.pop("SecurityGroupEgress"):
                # Terraform takes EC2's own rule away by itself; here one that leads nowhere has to stand in its place.
                if rule.get("CidrIp") != "127.0.0.1/32":
                    add(facts, "AWS::EC2::SecurityGroupEgress", dict(flat(rule | {"GroupId": group})))
        if kind == "AWS::S3::Bucket":
            properties["Bucket"] = stack.ref(name)
        known = dict(flat(properties)) | policies
        for path in list(known):
            if OWN.get((kind, path)) == known[path]:
                del known[path]
        add(facts, kind, known)
    return facts


def add(facts, kind, properties):
    # A limit of none is how Terraform writes that nothing is reserved; an empty text or map says nothing.
    properties = {path: value for path, value in properties.items() if value not in ["", "-1", "{}"]}
    if "FunctionName" in properties:
        properties["FunctionName"] = properties["FunctionName"].split(":")[-1]
    if "CodeUri" in properties:
        properties["CodeUri"] = properties["CodeUri"].split("target/")[1]
    key = next((properties[it] for it in KEYS if it in properties), json.dumps(properties, sort_keys=True))
    entry = facts.setdefault((kind, key), {})
    for path, value in properties.items():
        assert entry.setdefault(path, value) == value, f"{kind} {key}: {path} is {entry[path]!r} and {value!r}"


def flat(value, path=""):
    """Every leaf with its path. A list of one block is that block, as either language writes what can only be there once."""
    last = path.rsplit(".", 1)[-1]
    if value is None:
        return
    if last in DOCUMENTS or last in WHOLE:
        yield path, normal(value)
    elif last in ["metric_query", "Metrics"]:
        if value:
            yield path, normal(sorted((metric(it) for it in value), key=lambda it: it["Id"]))
    elif last == "Dimensions":
        yield path, normal({it["Name"]: it["Value"] for it in value})
    elif last == "Tags":
        yield path, normal({it["Key"]: it["Value"] for it in value})
    elif isinstance(value, dict):
        for name, nested in value.items():
            yield from flat(nested, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if value and isinstance(value[0], dict):
            assert len(value) == 1, f"{path}: {value}"
            yield from flat(value[0], path)
        elif value:
            yield path, ",".join(sorted(value))
    else:
        yield path, json.dumps(value) if isinstance(value, bool) else str(value)


def metric(query):
    """One part of an alarm's expression, in either language."""
    if "id" in query:
        [inner] = query["metric"] or [None]
        stat = inner and {
            "Metric": {"Namespace": inner["namespace"], "MetricName": inner["metric_name"], "Dimensions": inner["dimensions"]},
            "Stat": inner["stat"], "Period": inner["period"]}
        found = {"Id": query["id"], "Expression": query["expression"], "Label": query["label"], "MetricStat": stat}
        return {key: it for key, it in found.items() if it} | {"ReturnData": bool(query["return_data"])}
    query = dict(query)
    if "MetricStat" in query:
        inner = query["MetricStat"]["Metric"]
        dimensions = {it["Name"]: it["Value"] for it in inner["Dimensions"]}
        query["MetricStat"] = query["MetricStat"] | {"Metric": inner | {"Dimensions": dimensions}}
    return {"ReturnData": True} | query


def normal(value):
    """A document, however it is written."""
    value = json.loads(value) if isinstance(value, str) else value
    return json.dumps(ordered(value), sort_keys=True)


def ordered(value, name=""):
    if isinstance(value, dict):
        return {key: ordered(it, key) for key, it in value.items()}
    if isinstance(value, list):
        items = [ordered(it) for it in value]
        return items[0] if len(items) == 1 and name in ["Action", "Resource"] else items
    return value


def told_by(kind):
    from provider.stand_in import SCHEMA

    return [*SCHEMA["resources"][kind]["told"], "id"]
