# A CloudTrail trail of this region. Leave it out where there is a trail already; an account's first copy of these events is free.

variable "name" {
  type        = string
  description = "The trail's name."
}

variable "log_days" {
  type        = number
  description = "How long its log is kept."
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  trail   = "arn:${data.aws_partition.this.partition}:cloudtrail:${data.aws_region.this.region}:${local.account}:trail/${var.name}"
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: The bucket holds CloudTrail's log and nothing else; who reads it, the trail of the account's data events says.
  # checkov:skip=CKV_AWS_144: A copy in another region is the organization's trail's to keep.
  # checkov:skip=CKV_AWS_145: S3 encrypts it by its own key; the events hold names of secrets and no value.
  # checkov:skip=CKV2_AWS_62: Nobody waits for a log file.
  bucket_prefix = "${var.name}-trail-"
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "keep-for-so-long"
    status = "Enabled"
    filter {}
    expiration {
      days = var.log_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ThisTrailLooks"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = aws_s3_bucket.this.arn
        Condition = { StringEquals = { "aws:SourceArn" = local.trail } }
      },
      {
        Sid       = "ThisTrailWrites"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.this.arn}/AWSLogs/${local.account}/*"
        Condition = {
          StringEquals = {
            "aws:SourceArn" = local.trail
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          }
        }
      },
      {
        Sid       = "OnlyEncryptedOnTheWay"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_cloudtrail" "this" {
  # checkov:skip=CKV_AWS_35: The bucket encrypts it; the events hold names of secrets and no value.
  # checkov:skip=CKV_AWS_67: twinkey works in one region, and so does this; a trail of all regions is the organization's to make.
  # checkov:skip=CKV_AWS_252: The rule in modules/watch tells what is worth telling.
  # checkov:skip=CKV2_AWS_10: EventBridge gets the events without CloudWatch Logs.
  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.this.id
  enable_logging                = true
  is_multi_region_trail         = false
  include_global_service_events = false
  enable_log_file_validation    = true

  # All, so that who has read a secret is in it too.
  event_selector {
    read_write_type           = "All"
    include_management_events = true
  }

  depends_on = [aws_s3_bucket_policy.this]
}
