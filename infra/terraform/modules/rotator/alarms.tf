resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name}-failed"
  alarm_description   = "A step of a rotation failed; what was live stays live. Its line in the log tells why and what to do."
  namespace           = "twinkey"
  metric_name         = "RotationFailed"
  dimensions          = { function = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "not_two_keys" {
  alarm_name          = "${var.name}-not-two-keys"
  alarm_description   = "A rotation ended with other than two live keys. Once is right for the first rotation of a document that held no key."
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]

  metric_query {
    id          = "differs"
    expression  = "IF(fewest < 2 OR most > 2, 1, 0)"
    label       = "rotations that ended with other than two live keys"
    return_data = true
  }
  metric_query {
    id = "fewest"
    metric {
      namespace   = "twinkey"
      metric_name = "LiveKeys"
      dimensions  = { function = var.name }
      stat        = "Minimum"
      period      = 300
    }
  }
  metric_query {
    id = "most"
    metric {
      namespace   = "twinkey"
      metric_name = "LiveKeys"
      dimensions  = { function = var.name }
      stat        = "Maximum"
      period      = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "stray" {
  alarm_name          = "${var.name}-stray"
  alarm_description   = "A key that nobody holds may be live. The line in the log names when it dies by itself."
  namespace           = "twinkey"
  metric_name         = "PossibleStray"
  dimensions          = { function = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "throttled" {
  alarm_name          = "${var.name}-throttled"
  alarm_description   = "Lambda turned invocations away. Rotations come late; raise the function's concurrency, or spread the schedules."
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
