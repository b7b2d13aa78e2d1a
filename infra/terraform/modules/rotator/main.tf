# The rotation function of one provider, with a role of its own and its alarms.

locals {
  variables = {
    for name, value in {
      TWINKEY_CA_BUNDLE   = var.ca_bundle
      TWINKEY_ADMIN_HOSTS = var.admin_hosts
      TWINKEY_GITHUB_API  = var.github_api
    } : name => value if value != ""
  }
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts it by its own key; no line holds a secret value, which tests show at the loudest level.
  # checkov:skip=CKV_AWS_338: How long is the operator's choice, a year by default.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: Secrets Manager waits for the answer and repeats a failed rotation; nothing is queued that could be lost.
  # checkov:skip=CKV_AWS_117: Only what reaches a database inside a VPC belongs there; in_vpc says so.
  # checkov:skip=CKV_AWS_173: No variable holds a secret value; Lambda encrypts them by its own key.
  # checkov:skip=CKV_AWS_50: Each step is a line with its time; there is no trace to be had beyond it.
  # checkov:skip=CKV_AWS_272: The zip's sum is published beside it; signing it is for whoever has a signing profile.
  function_name    = var.name
  role             = aws_iam_role.this.arn
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  # It takes 11 MiB, and 128 is the least that Lambda gives.
  memory_size = 128
  # Longer than the calls of any step may take; each ends half a second before this does.
  timeout                        = 60
  reserved_concurrent_executions = var.concurrency > 0 ? var.concurrency : -1

  dynamic "vpc_config" {
    for_each = var.in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnets
      security_group_ids = [var.security_group]
    }
  }

  dynamic "environment" {
    for_each = length(local.variables) > 0 ? [1] : []
    content {
      variables = local.variables
    }
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.network]
}

# Secrets Manager may invoke it, for secrets of this account only.
resource "aws_lambda_permission" "this" {
  statement_id   = "secretsmanager"
  function_name  = aws_lambda_function.this.function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account
}

output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}
