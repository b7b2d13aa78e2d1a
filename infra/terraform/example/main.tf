# Everything for three secrets: an RDS Postgres password with its admin's, a GitHub installation token, a deploy key.
#
# Their documents are put by a person (docs/operations.md), between two runs. Terraform would keep them in its state; and, once the version
# that it made has gone, as each does that is rotated often, it would make it again and publish what was first in it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

variable "rotate" {
  type        = bool
  default     = false
  description = "Whether to set up the rotations: true in the second run, when the documents have been put."
}

module "twinkey" {
  source  = "../"
  package = "../../../target/package/twinkey-lambda-arm64.zip"
}

locals {
  rotated = {
    "twinkey/postgres/example" = {
      function = module.twinkey.postgres_function
      schedule = "rate(30 days)"
      tags     = {}
    }
    # More often than every four hours, by its tag. Secrets Manager's own schedule comes only where the tick has not been.
    "twinkey/github/token" = {
      function = module.twinkey.github_function
      schedule = "rate(1 day)"
      tags     = { "twinkey:schedule" = "rate 20 minutes" }
    }
    "twinkey/github/deploy-key" = {
      function = module.twinkey.github_function
      schedule = "cron(0 8 1 * ? *)"
      tags     = {}
    }
  }
}

resource "aws_secretsmanager_secret" "admin" {
  # checkov:skip=CKV_AWS_149: aws/secretsmanager encrypts it; a key of your own is a kms_key_id away.
  # checkov:skip=CKV2_AWS_57: Nothing rotates it: it is what changes the others' passwords.
  name        = "twinkey/admin/example"
  description = "The role that changes the others' passwords. Nothing rotates it."
}

resource "aws_secretsmanager_secret" "rotated" {
  # checkov:skip=CKV_AWS_149: aws/secretsmanager encrypts it; a key of your own is a kms_key_id away.
  # checkov:skip=CKV2_AWS_57: It is rotated; the resource below is made in the second run.
  for_each = local.rotated
  name     = each.key
  tags     = each.value.tags
}

resource "aws_secretsmanager_secret_rotation" "this" {
  # checkov:skip=CKV_AWS_304: The longest is 31 days; checkov does not look through for_each.
  for_each            = { for name, secret in local.rotated : name => secret if var.rotate }
  secret_id           = aws_secretsmanager_secret.rotated[each.key].id
  rotation_lambda_arn = each.value.function
  rotate_immediately  = false

  rotation_rules {
    schedule_expression = each.value.schedule
  }
}
