resource "aws_cloudwatch_metric_alarm" "overdue" {
  alarm_name          = "${var.name}-overdue"
  alarm_description   = "A secret should have been rotated more than ten minutes ago. The tick's line in the log says which, and what kept it."
  namespace           = "twinkey"
  metric_name         = "SecretsOverdue"
  dimensions          = { function = var.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  # The alarm "missing" tells that there is none; what was overdue is not in time thereby.
  treat_missing_data = "ignore"
  alarm_actions      = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "stuck" {
  alarm_name          = "${var.name}-stuck"
  alarm_description   = "A rotation has been in flight for more than an hour. The tick has no right to end it; send abandon to the rotation function."
  namespace           = "twinkey"
  metric_name         = "StuckPending"
  dimensions          = { function = var.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "ignore"
  alarm_actions       = [var.topic]
}

# A tick that failed or saw a part of the secrets only tells no figures.
resource "aws_cloudwatch_metric_alarm" "missing" {
  alarm_name          = "${var.name}-missing"
  alarm_description   = "No tick has seen every secret for half an hour; nothing is rotated by its tag."
  namespace           = "twinkey"
  metric_name         = "SecretsOverdue"
  dimensions          = { function = var.name }
  statistic           = "SampleCount"
  period              = 900
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "throttled" {
  alarm_name          = "${var.name}-throttled"
  alarm_description   = "Lambda turned ticks away. A tick takes longer than the interval, or the account has no concurrency left."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${var.name}-undelivered"
  alarm_description   = "The scheduler could not invoke the tick. The message in the queue says why, in its attributes."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${var.name}-undelivered" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]
}
