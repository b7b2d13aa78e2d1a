# The way from a function inside a VPC to its database and to Secrets Manager, and no other.

variable "name" {
  type        = string
  description = "The function's name."
}

variable "vpc" {
  type        = string
  description = "The database's VPC."
}

variable "subnets" {
  type        = list(string)
  description = "Subnets of that VPC."
}

variable "database_security_group" {
  type        = string
  description = "The database's own; it lets the function in."
}

variable "database_port" {
  type        = number
  description = "Where the database listens."
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  region  = data.aws_region.this.region
  account = data.aws_caller_identity.this.account_id
}

# Terraform leaves a group without any rule of EC2's own: nothing is allowed but what stands here.
resource "aws_security_group" "function" {
  # checkov:skip=CKV2_AWS_5: The rotation function is in it, by another module.
  name_prefix = "${var.name}-"
  description = "The rotation function ${var.name}"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  security_group_id            = aws_security_group.function.id
  description                  = "The database"
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  referenced_security_group_id = var.database_security_group
}

resource "aws_vpc_security_group_egress_rule" "to_secrets_manager" {
  security_group_id            = aws_security_group.function.id
  description                  = "The endpoint of Secrets Manager"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoint.id
}

resource "aws_vpc_security_group_ingress_rule" "into_database" {
  security_group_id            = var.database_security_group
  description                  = "The rotation function ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  referenced_security_group_id = aws_security_group.function.id
}

resource "aws_security_group" "endpoint" {
  name_prefix = "${var.name}-endpoint-"
  description = "The endpoint of Secrets Manager, for ${var.name}"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "into_endpoint" {
  security_group_id            = aws_security_group.endpoint.id
  description                  = "The rotation function ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.function.id
}

resource "aws_vpc_endpoint" "this" {
  vpc_id              = var.vpc
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.secretsmanager"
  subnet_ids          = var.subnets
  security_group_ids  = [aws_security_group.endpoint.id]
  private_dns_enabled = true
  # No way out of this account, whatever credentials somebody brings into the VPC.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WithinThisAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "secretsmanager:*"
      Resource  = "arn:${data.aws_partition.this.partition}:secretsmanager:${local.region}:${local.account}:secret:*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = local.account } }
    }]
  })
}

output "security_group" {
  description = "The function's security group."
  value       = aws_security_group.function.id
}
