# The topic that tells people, what Secrets Manager says of failed rotations, and a dashboard.

variable "name" {
  type        = string
  description = "The name of all that is made here."
}

variable "email" {
  type        = string
  description = "Who is told, by mail; nobody yet if empty."
}

variable "secrets" {
  type        = list(string)
  description = "What the names of the secrets begin with whose failures are told."
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  region  = data.aws_region.this.region
  account = data.aws_caller_identity.this.account_id
  secret  = "arn:${data.aws_partition.this.partition}:secretsmanager:${local.region}:${local.account}:secret:"
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: An alarm cannot be sent to a topic that the key aws/sns encrypts. Names of secrets and errors are told, never a value.
  name = var.name
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      # Without a condition: EventBridge takes none in a topic's policy, and would deliver nothing.
      {
        Sid       = "RulesOfEventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  count     = var.email != "" ? 1 : 0
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.email
}

# They come by way of CloudTrail: without a trail in this region, none is ever sent (modules/trail).
resource "aws_cloudwatch_event_rule" "this" {
  name        = var.name
  description = "Secrets Manager gave up a rotation, or a value was put by hand while it ran."
  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["AWS Service Event via CloudTrail"]
    detail = {
      eventName           = ["RotationFailed", "RotationAbandoned"]
      additionalEventData = { SecretId = [for prefix in var.secrets : { prefix = "${local.secret}${prefix}" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "topic" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "topic"
  arn       = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      event  = "$.detail.eventName"
      secret = "$.detail.additionalEventData.SecretId"
      reason = "$.detail.errorMessage"
      time   = "$.time"
    }
    input_template = "\"<event> of <secret> at <time>: <reason>\""
  }
}
