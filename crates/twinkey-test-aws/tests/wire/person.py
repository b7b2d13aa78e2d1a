"""What a person does with one secret, told line by line: the operation, and what came of it."""
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client(
    "secretsmanager",
    endpoint_url=os.environ["ENDPOINT"],
    config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5),
)
A, B, C = ("a" * 32, "b" * 32, "c" * 32)


def tell(name, keys=(), **parameters):
    try:
        answer = getattr(client, name)(**parameters)
        print(name, *(answer.get(key) for key in keys))
        return answer
    except ClientError as error:
        print(name, error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])


tell("describe_secret", SecretId="db/app")
created = tell("create_secret", ["Name", "VersionId"], Name="db/app", SecretString="TEST-1", ClientRequestToken=A,
               Tags=[{"Key": "twinkey:schedule", "Value": "rate 1 day"}])
tell("create_secret", ["VersionId"], Name="db/app", SecretString="TEST-1", ClientRequestToken=A)
tell("create_secret", Name="db/app", SecretString="TEST-2", ClientRequestToken=A)
tell("get_secret_value", ["SecretString", "VersionStages"], SecretId=created["ARN"])
tell("rotate_secret", ["VersionId"], SecretId="db/app", ClientRequestToken=B)
tell("rotate_secret", SecretId="db/app", ClientRequestToken=C)
tell("get_secret_value", SecretId="db/app", VersionId=B, VersionStage="AWSPENDING")
tell("get_secret_value", SecretId="db/app", VersionId=A, VersionStage="AWSPENDING")
tell("put_secret_value", ["VersionStages"], SecretId="db/app", SecretString="TEST-2", ClientRequestToken=B,
     VersionStages=["AWSPENDING", "twinkey-b"])
tell("put_secret_value", SecretId="db/app", SecretString="TEST-3", ClientRequestToken=B, VersionStages=["AWSPENDING"])
tell("update_secret_version_stage", SecretId="db/app", VersionStage="AWSCURRENT", MoveToVersionId=B)
tell("update_secret_version_stage", ["Name"], SecretId="db/app", VersionStage="AWSCURRENT", MoveToVersionId=B,
     RemoveFromVersionId=A)
described = tell("describe_secret", ["RotationEnabled", "Tags"], SecretId="db/app")
print(sorted((id[0], sorted(stages)) for id, stages in described["VersionIdsToStages"].items()))
versions = tell("list_secret_version_ids", SecretId="db/app")["Versions"]
print([(version["VersionId"][0], version["CreatedDate"].microsecond) for version in versions])
tell("cancel_rotate_secret", ["Name"], SecretId="db/app")
tell("tag_resource", SecretId="db/app", Tags=[{"Key": "team", "Value": "payments"}])
for name in ("db/other", "db/third"):
    client.create_secret(Name=name, SecretString="TEST", ClientRequestToken=A)
pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
print([[secret["Name"] for secret in page["SecretList"]] for page in pages])
found = tell("list_secrets", Filters=[{"Key": "tag-key", "Values": ["twinkey:"]}])["SecretList"]
print([(secret["Name"], len(secret["Tags"]), len(secret["SecretVersionsToStages"])) for secret in found])
tell("restore_secret", SecretId="db/app")
