# KMS keys: one that signs for a GitHub App and can do nothing else, and one that encrypts the secrets.

variable "name" {
  type        = string
  description = "The alias of the second key is alias/<name>-secrets."
}

variable "signing_alias" {
  type        = string
  description = "The alias of the key that signs; it is made if this is not empty."
}

variable "make_secrets_key" {
  type        = bool
  description = "Whether a key for the secrets is made."
}

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  signs = var.signing_alias != ""

  # Who may use it, the roles of this account say.
  by_the_roles = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ByTheRolesOfThisAccount"
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

# Empty until the App's private key is imported (docs/providers/github.md). KMS rotates no imported key by itself: a new one gets a key of
# its own, and the alias moves to it.
resource "aws_kms_external_key" "app" {
  count       = local.signs ? 1 : 0
  description = "Signs for a GitHub App"
  key_spec    = "RSA_2048"
  key_usage   = "SIGN_VERIFY"
  policy      = local.by_the_roles
}

resource "aws_kms_alias" "app" {
  count         = local.signs ? 1 : 0
  name          = var.signing_alias
  target_key_id = aws_kms_external_key.app[0].id

  lifecycle {
    # A person moves it.
    ignore_changes = [target_key_id]
  }
}

resource "aws_kms_key" "secrets" {
  count               = var.make_secrets_key ? 1 : 0
  description         = "Encrypts the secrets that twinkey rotates"
  enable_key_rotation = true
  policy              = local.by_the_roles
}

resource "aws_kms_alias" "secrets" {
  count         = var.make_secrets_key ? 1 : 0
  name          = "alias/${var.name}-secrets"
  target_key_id = aws_kms_key.secrets[0].id
}

output "secrets_key" {
  description = "The ARN of the key for the secrets; empty if none was made."
  value       = var.make_secrets_key ? aws_kms_key.secrets[0].arn : ""
}
