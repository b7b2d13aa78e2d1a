data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  account   = data.aws_caller_identity.this.account_id
  secret    = "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:"
  through   = "secretsmanager.${local.region}.${data.aws_partition.this.dns_suffix}"

  borrows_by_name  = var.borrowed != ""
  borrows_from_rds = var.master_user_secret != ""
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

resource "aws_iam_role_policy" "rotate" {
  name = "rotate"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "RotateItsSecrets"
      Effect = "Allow"
      Action = [
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      Resource = "${local.secret}${var.secrets}*"
    }]
  })
}

resource "aws_iam_role_policy" "borrow" {
  # Known in a plan that is yet to make the database, whose secret's ARN then is not.
  count = local.borrows_by_name ? 1 : local.borrows_from_rds ? 1 : 0
  name  = "borrow"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for prefix in [var.borrowed] : {
        Sid      = "ReadWhatItBorrows"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = "${local.secret}${prefix}*"
      } if local.borrows_by_name],
      [for arn in [var.master_user_secret] : {
        Sid      = "ReadMasterUserSecret"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = arn
      } if local.borrows_from_rds],
    )
  })
}

# By Secrets Manager's hand only, and only for these secrets: it binds what it encrypts to the secret's ARN.
resource "aws_iam_role_policy" "key" {
  count = var.encrypts ? 1 : 0
  name  = "key"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "EncryptItsSecrets"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.secrets_key
        Condition = {
          StringEquals = { "kms:ViaService" = local.through }
          StringLike   = { "kms:EncryptionContext:SecretARN" = "${local.secret}${var.secrets}*" }
        }
      }],
      [for prefix in [var.borrowed] : {
        Sid      = "DecryptWhatItBorrows"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.secrets_key
        Condition = {
          StringEquals = { "kms:ViaService" = local.through }
          StringLike   = { "kms:EncryptionContext:SecretARN" = "${local.secret}${prefix}*" }
        }
      } if local.borrows_by_name],
      [for arn in [var.master_user_secret] : {
        Sid      = "DecryptMasterUserSecret"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.secrets_key
        Condition = {
          StringEquals = { "kms:ViaService" = local.through, "kms:EncryptionContext:SecretARN" = arn }
        }
      } if local.borrows_from_rds],
    )
  })
}

# A policy cannot name an alias as its resource. Whatever key of this account bears it now may sign, so that the App's key is switched by
# moving the alias, without a deployment.
resource "aws_iam_role_policy" "sign" {
  count = var.signing_alias != "" ? 1 : 0
  name  = "sign"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "SignAsTheApp"
      Effect   = "Allow"
      Action   = "kms:Sign"
      Resource = "arn:${local.partition}:kms:${local.region}:${local.account}:key/*"
      Condition = {
        StringEquals               = { "kms:SigningAlgorithm" = "RSASSA_PKCS1_V1_5_SHA_256" }
        "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = var.signing_alias }
      }
    }]
  })
}

resource "aws_iam_role_policy" "log_in" {
  count = var.database_user != "" ? 1 : 0
  name  = "log-in"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "LogInAsAdmin"
      Effect   = "Allow"
      Action   = "rds-db:connect"
      Resource = var.database_user
    }]
  })
}

locals {
  interfaces = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
}

resource "aws_iam_role_policy" "network" {
  count = var.in_vpc ? 1 : 0
  name  = "network"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # As Lambda's page has it: Lambda checks for these before there is an interface whose ARN could stand here.
      {
        Sid      = "LetLambdaAttachIt"
        Effect   = "Allow"
        Action   = local.interfaces
        Resource = "*"
      },
      # They are for Lambda's service; the program itself may use none of them.
      {
        Sid      = "ButNotItself"
        Effect   = "Deny"
        Action   = local.interfaces
        Resource = "*"
        Condition = {
          ArnEquals = {
            "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"
          }
        }
      },
    ]
  })
}
