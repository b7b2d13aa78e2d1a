locals {
  rotators = ["${var.name}-postgres", "${var.name}-github"]
  tick     = "${var.name}-tick"

  left  = { x = 0, width = 12, height = 6 }
  right = { x = 12, width = 12, height = 6 }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      merge(local.left, { type = "metric", y = 0, properties = {
        title = "Rotations", region = local.region, stat = "Sum", period = 3600
        metrics = concat(
          [for name in local.rotators : ["twinkey", "RotationSucceeded", "function", name]],
          [for name in local.rotators : ["twinkey", "RotationFailed", "function", name]],
        )
      } }),
      merge(local.right, { type = "metric", y = 0, properties = {
        title   = "Fewest live keys at the end of a rotation", region = local.region, stat = "Minimum", period = 3600
        yAxis   = { left = { min = 0, max = 3 } }
        metrics = [for name in local.rotators : ["twinkey", "LiveKeys", "function", name]]
      } }),
      merge(local.left, { type = "metric", y = 6, properties = {
        title   = "Overdue and stuck", region = local.region, stat = "Maximum", period = 300
        metrics = [for metric in ["SecretsOverdue", "StuckPending"] : ["twinkey", metric, "function", local.tick]]
      } }),
      merge(local.right, { type = "metric", y = 6, properties = {
        title   = "Age of the oldest key, in seconds", region = local.region, stat = "Maximum", period = 300
        metrics = [["twinkey", "OldestKeyAgeSeconds", "function", local.tick]]
      } }),
      merge(local.left, { type = "metric", y = 12, properties = {
        title = "A step, in milliseconds (p95)", region = local.region, stat = "p95", period = 3600
        metrics = [
          for pair in setproduct(local.rotators, ["createSecret", "setSecret"]) :
          ["twinkey", "StepMilliseconds", "function", pair[0], "step", pair[1]]
        ]
      } }),
      merge(local.right, { type = "metric", y = 12, properties = {
        title = "Strays and throttles", region = local.region, stat = "Sum", period = 3600
        metrics = concat(
          [for name in local.rotators : ["twinkey", "PossibleStray", "function", name]],
          [for name in concat(local.rotators, [local.tick]) : ["AWS/Lambda", "Throttles", "FunctionName", name]],
        )
      } }),
    ]
  })
}

output "topic" {
  description = "The topic's ARN."
  value       = aws_sns_topic.this.arn
}
