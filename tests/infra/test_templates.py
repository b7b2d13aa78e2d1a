"""Both templates make the same, whatever is asked of them."""

import pytest

import facts
from cloudformation import Stack

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"
MASTER, MASTER_OF_A_CLUSTER = f"{SECRET}rds!db-TEST-TESTab", f"{SECRET}rds!cluster-TEST-TESTab"

# Each as either language writes it. Together they take every way through the conditions.
ASKED = {
    "as little as can be": ({}, {}),
    "inside a VPC, with a key of one's own, beside one's own admins RDS's": (
        {"Vpc": "vpc-1", "Subnets": "subnet-1,subnet-2", "DatabaseSecurityGroup": "sg-database", "MakeSecretsKey": "true",
         "MasterUserSecret": MASTER},
        {"network": {"vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "database_security_group": "sg-database"},
         "make_secrets_key": True, "master_user_secret": MASTER}),
    "an App's key in a secret, an Enterprise Server, another port, RDS's admin alone": (
        {"AdminSecrets": "", "MasterUserSecret": MASTER_OF_A_CLUSTER, "SigningAlias": "", "AppSecrets": "acme/app/", "GithubApi": "https://git.example/api/v3", "Name": "acme", "Vpc": "vpc-1",
         "Subnets": "subnet-1", "DatabaseSecurityGroup": "sg-database", "DatabasePort": "6432", "MakeSecretsKey": "true"},
        {"admin_secrets": "", "master_user_secret": MASTER_OF_A_CLUSTER, "signing_alias": "", "app_secrets": "acme/app/",
         "github_api": "https://git.example/api/v3", "name": "acme",
         "network": {"vpc": "vpc-1", "subnets": ["subnet-1"], "database_security_group": "sg-database", "database_port": 6432},
         "make_secrets_key": True}),
    "everything else": (
        {"PostgresSecrets": "prod/db/", "AdminSecrets": "prod/admin/", "MasterUserSecret": MASTER, "GithubSecrets": "prod/ci/", "MakeSigningKey": "false",
         "SigningAlias": "alias/acme/app", "CaBundle": "/var/task/ca.pem", "AdminHosts": "db.example:5432",
         "DatabaseUser": "arn:aws:rds-db:eu-central-1:111122223333:dbuser:db-TEST/rotator", "Email": "nobody@example.com",
         "MakeTrail": "false", "LogDays": "90", "Concurrency": "0"},
        {"postgres_secrets": "prod/db/", "admin_secrets": "prod/admin/", "master_user_secret": MASTER, "github_secrets": "prod/ci/", "make_signing_key": False,
         "signing_alias": "alias/acme/app", "ca_bundle": "/var/task/ca.pem", "admin_hosts": "db.example:5432",
         "database_user": "arn:aws:rds-db:eu-central-1:111122223333:dbuser:db-TEST/rotator", "email": "nobody@example.com",
         "make_trail": False, "log_days": 90, "concurrency": 0}),
}


@pytest.mark.parametrize("asked", ASKED)
def test_both_templates_make_the_same(terraform, asked):
    cloudformation, variables = ASKED[asked]
    one = facts.of_cloudformation(Stack("twinkey.yaml", **cloudformation).resources())
    two = facts.of_terraform(terraform.plan(package=str(terraform.package), **variables))
    assert sorted(one) == sorted(two)
    for key in one:
        assert one[key] == two[key], key


def test_a_difference_is_seen():
    one = facts.of_cloudformation(Stack("twinkey.yaml").resources())
    two = facts.of_cloudformation(Stack("twinkey.yaml", Concurrency="9").resources())
    assert one != two
    assert sorted(one) == sorted(two)


def test_both_examples_make_the_same(terraform):
    example = Stack("example.yaml", Host="db.example", AppId="TEST", InstallationId="1", Repository="acme/widgets", RepositoryName="widgets")
    one = facts.of_cloudformation([*Stack("twinkey.yaml").resources(), *example.resources()])
    two = facts.of_terraform(terraform.plan("example", rotate=True))
    # In Terraform's, a person puts the documents.
    for (kind, _), properties in one.items():
        if kind == "AWS::SecretsManager::Secret":
            for path in list(properties):
                if path.startswith(("GenerateSecretString", "SecretString")):
                    del properties[path]
    assert one == two


def test_terraform_finds_them_valid_and_well_formatted(terraform):
    for folder in [".", "example"]:
        terraform.run("validate", "-no-color", folder=folder)
    terraform.run("fmt", "-check", "-recursive", "-diff")


def test_terraform_with_the_stand_in_refuses_what_the_provider_does_not_know(terraform):
    wrong = terraform.module / "modules/watch/wrong.tf"
    wrong.write_text('resource "aws_sns_topic" "wrong" {\n  nme = "TEST"\n}\n')
    try:
        with pytest.raises(AssertionError, match="(?s)Unsupported argument.*nme"):
            terraform.run("validate", "-no-color")
    finally:
        wrong.unlink()


def test_a_database_of_the_same_plan_may_be_named(terraform):
    folder = terraform.module.parent / "with-a-database"
    folder.mkdir()
    # Its id, as the ARN of a database's secret, is known only when it has been made.
    (folder / "main.tf").write_text(
        'resource "terraform_data" "database" {}\n'
        f'module "twinkey" {{\n  source = "../terraform"\n  package = "{terraform.package}"\n  master_user_secret = terraform_data.database.id\n}}\n')
    terraform.init(folder)
    [policy] = [it for it in terraform.plan(folder) if it["address"] == "module.twinkey.module.postgres.aws_iam_role_policy.borrow[0]"]
    assert "policy" not in policy["values"], "not known yet"


# More than one secret, one that RDS does not manage, one that lacks the end of its ARN, a name.
NO_MASTER = [f"{SECRET}rds!*", f"{SECRET}rds!db-TEST-*", f"{SECRET}twinkey/admin/db-TESTab", f"{SECRET}rds!db-TEST", "rds!db-TEST-TESTab", "*"]


@pytest.mark.parametrize(("variable", "value"), [
    ("postgres_secrets", "prod"), ("name", "Twinkey!"), ("signing_alias", "app"), *(("master_user_secret", it) for it in NO_MASTER)])
def test_what_could_reach_too_far_is_refused(terraform, variable, value):
    with pytest.raises(AssertionError, match="Invalid value for variable"):
        terraform.plan(package=str(terraform.package), **{variable: value})


@pytest.mark.parametrize(("parameter", "value"), [
    ("PostgresSecrets", "prod"), ("Name", "Twinkey!"), ("SigningAlias", "app"), *(("MasterUserSecret", it) for it in NO_MASTER)])
def test_and_by_cloudformation(parameter, value):
    with pytest.raises(AssertionError, match="is not"):
        Stack("twinkey.yaml", **{parameter: value})
