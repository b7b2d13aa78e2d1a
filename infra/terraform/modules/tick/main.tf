# The tick, which asks Secrets Manager for what is due. It reads no secret value.

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts it by its own key; no line holds a secret value.
  # checkov:skip=CKV_AWS_338: How long is the operator's choice, a year by default.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: A tick that is lost is made good by the next one, and an alarm tells that none came.
  # checkov:skip=CKV_AWS_117: It reaches Secrets Manager alone.
  # checkov:skip=CKV_AWS_50: Each tick is a line with its time; there is no trace to be had beyond it.
  # checkov:skip=CKV_AWS_272: The zip's sum is published beside it; signing it is for whoever has a signing profile.
  function_name    = var.name
  role             = aws_iam_role.this.arn
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  memory_size      = 128
  # It ends before the next one comes. What it does not reach, the next one begins with.
  timeout = 280
  # A tick is safe beside another one, and of no use.
  reserved_concurrent_executions = var.reserves ? 1 : -1

  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 120
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_iam_role" "schedule" {
  name_prefix = "${var.name}-schedule-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "tick"
  role = aws_iam_role.schedule.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "InvokeTheTick"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.this.arn
      },
      {
        Sid      = "KeepWhatCannotBeDelivered"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.undelivered.arn
      },
    ]
  })
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297: It holds the words rotateDue and nothing else; the scheduler encrypts it by its own key.
  name                = var.name
  description         = "Has rotated what is due by the tag twinkey:schedule, also more often than Secrets Manager's own schedule can."
  schedule_expression = "rate(5 minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule.arn
    input    = "{\"rotateDue\": {}}"

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 120
    }
    dead_letter_config {
      arn = aws_sqs_queue.undelivered.arn
    }
  }
}

output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}
