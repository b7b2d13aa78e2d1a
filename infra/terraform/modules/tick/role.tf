data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  account   = data.aws_caller_identity.this.account_id
  secrets   = [for prefix in var.secrets : "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${prefix}*"]
}

resource "aws_iam_role" "this" {
  name_prefix = "${var.name}-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "log" {
  name = "log"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteItsOwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}:log-stream:*"
    }]
  })
}

resource "aws_iam_role_policy" "ask" {
  name = "ask"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The one action here that knows no resources: names, tags and dates of the region's secrets, no values.
      {
        Sid      = "SeeWhatIsDue"
        Effect   = "Allow"
        Action   = "secretsmanager:ListSecrets"
        Resource = "*"
      },
      {
        Sid      = "LookCloser"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds"]
        Resource = local.secrets
      },
      # As they are set up: neither by another function nor on another schedule.
      {
        Sid      = "AskForRotations"
        Effect   = "Allow"
        Action   = "secretsmanager:RotateSecret"
        Resource = local.secrets
        Condition = {
          ArnEqualsIfExists = { "secretsmanager:RotationLambdaARN" = var.rotators }
          BoolIfExists      = { "secretsmanager:ModifyRotationRules" = "false" }
        }
      },
      # Secrets Manager insists on it for whoever calls RotateSecret.
      {
        Sid      = "ByTheseFunctions"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = var.rotators
      },
    ]
  })
}
