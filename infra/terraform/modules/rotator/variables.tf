variable "name" {
  type        = string
  description = "The function's name; what belongs to it is named after it."
}

variable "package" {
  type        = string
  description = "The zip with the program."
}

variable "secrets" {
  type        = string
  description = "What the names of the secrets that it rotates begin with."
  validation {
    condition     = can(regex("^([A-Za-z0-9_+=.@-]+/)+$", var.secrets))
    error_message = "It must end in a slash, so that no other name begins so by chance."
  }
}

variable "borrowed" {
  type        = string
  description = "What the names of the secrets that it may only read begin with (an admin's, an App's key as PEM); none if empty."
  validation {
    condition     = can(regex("^([A-Za-z0-9_+=.@-]+/)*$", var.borrowed))
    error_message = "It must be empty or end in a slash, so that no other name begins so by chance."
  }
}

variable "master_user_secret" {
  type        = string
  description = "The ARN (arn:aws:secretsmanager:…:secret:rds!…) of a master user's secret that RDS manages, which it may only read; none if empty."
  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:rds![A-Za-z0-9-]+-[A-Za-z0-9]{6})?$", var.master_user_secret))
    error_message = "It must be empty or the whole ARN of one secret whose name begins with rds!, to its last six characters."
  }
}

variable "signing_alias" {
  type        = string
  description = "The alias of the KMS key that signs for a GitHub App; none if empty."
}

variable "encrypts" {
  type        = bool
  description = "Whether a customer's KMS key encrypts the secrets; aws/secretsmanager otherwise."
}

variable "secrets_key" {
  type        = string
  description = "That key's ARN."
}

variable "database_user" {
  type        = string
  description = "The ARN (arn:aws:rds-db:…:dbuser:…) of an admin that logs in by IAM; none if empty."
}

variable "in_vpc" {
  type        = bool
  description = "Whether it runs inside a VPC."
}

variable "subnets" {
  type        = list(string)
  description = "The function's subnets in that VPC."
}

variable "security_group" {
  type        = string
  description = "The function's security group in that VPC."
}

variable "ca_bundle" {
  type        = string
  description = "TWINKEY_CA_BUNDLE, a file in the package such as /var/task/global-bundle.pem; the system's authorities alone if empty."
}

variable "admin_hosts" {
  type        = string
  description = "TWINKEY_ADMIN_HOSTS."
}

variable "github_api" {
  type        = string
  description = "TWINKEY_GITHUB_API."
}

variable "concurrency" {
  type        = number
  description = "How many rotations may run at once, so that a server is never flooded; 0 reserves nothing."
}

variable "log_days" {
  type        = number
  description = "How long its log is kept."
}

variable "topic" {
  type        = string
  description = "The ARN of the SNS topic that alarms go to."
}
