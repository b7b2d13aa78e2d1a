"""One rotation a line of input, `ARN TOKEN`: what AWS's template for two alternating users asks of others, and no more.

It stands for that template, which is in no package registry: the same four steps, with the guard before each, a client of
its own for each invocation, 14 calls and 4 connections. Ours is shorter, checks nothing that costs no call, and takes
the faster driver: a lower bound.
"""

import json
import secrets
import sys

import boto3
import psycopg2

ENDPOINT, CA = sys.argv[1:]


def connect(document):
    try:
        return psycopg2.connect(
            host=document["host"], port=document["port"], user=document["username"], password=document["password"],
            dbname=document["dbname"], sslmode="verify-full", sslrootcert=CA, connect_timeout=5,
        )
    except psycopg2.OperationalError:
        return None


def value(client, arn, **at):
    return json.loads(client.get_secret_value(SecretId=arn, **at)["SecretString"])


def create(client, arn, token):
    current = value(client, arn, VersionStage="AWSCURRENT")
    try:
        return value(client, arn, VersionId=token, VersionStage="AWSPENDING")
    except client.exceptions.ResourceNotFoundException:
        pass
    name = current["username"]
    current["username"] = name.removesuffix("_clone") if name.endswith("_clone") else name + "_clone"
    # The template has it made by GetRandomPassword: one call more.
    current["password"] = secrets.token_hex(16)
    client.put_secret_value(
        SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(current), VersionStages=["AWSPENDING"]
    )


def change(client, arn, token):
    pending = value(client, arn, VersionId=token, VersionStage="AWSPENDING")
    current = value(client, arn, VersionStage="AWSCURRENT")
    already = connect(pending)
    assert already is None
    used = connect(current)
    used.close()
    master = value(client, current["masterarn"], VersionStage="AWSCURRENT")
    connection = connect({**current, "username": master["username"], "password": master["password"]})
    name, original = pending["username"], pending["username"].removesuffix("_clone")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(%s), quote_ident(%s)", (name, original))
        role, owner = cursor.fetchone()
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {role} WITH LOGIN PASSWORD %s", (pending["password"],))
            cursor.execute(f"GRANT {owner} TO {role}")
        else:
            cursor.execute(f"ALTER USER {role} WITH PASSWORD %s", (pending["password"],))
    connection.close()


def test(client, arn, token):
    connection = connect(value(client, arn, VersionId=token, VersionStage="AWSPENDING"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOW()")
    connection.commit()
    connection.close()


def finish(client, arn, token):
    versions = client.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def invoke(step, arn, token):
    client = boto3.client("secretsmanager", endpoint_url=ENDPOINT)
    described = client.describe_secret(SecretId=arn)
    assert described["RotationEnabled"] and "AWSPENDING" in described["VersionIdsToStages"][token]
    step(client, arn, token)


print("ready", flush=True)
for line in sys.stdin:
    for step in (create, change, test, finish):
        invoke(step, *line.split())
    print("rotated", flush=True)
