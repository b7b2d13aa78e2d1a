variable "package" {
  type        = string
  description = "The zip with the program, as `cargo xtask package` makes it."
}

variable "name" {
  type        = string
  default     = "twinkey"
  description = "All that is made has a name that begins so."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "Small letters, digits and hyphens, 32 at most."
  }
}

variable "postgres_secrets" {
  type        = string
  default     = "twinkey/postgres/"
  description = "What the names of the Postgres secrets begin with. No right reaches beyond."
}

variable "admin_secrets" {
  type        = string
  default     = "twinkey/admin/"
  description = "What the names of the database admins' secrets begin with; they are read only. None if empty."
}

variable "master_user_secret" {
  type        = string
  default     = ""
  description = "The ARN (arn:aws:secretsmanager:…:secret:rds!…) of a master user's secret that RDS manages; it is read only. admin_hosts names its server."
}

variable "github_secrets" {
  type        = string
  default     = "twinkey/github/"
  description = "What the names of GitHub's secrets begin with."
}

variable "app_secrets" {
  type        = string
  default     = ""
  description = "What the names of the secrets begin with that hold an App's key as PEM; empty where KMS holds it."
}

variable "signing_alias" {
  type        = string
  default     = "alias/twinkey-github-app"
  description = "The alias of the key that signs for the App; empty where a secret holds it."
  validation {
    condition     = can(regex("^(alias/[A-Za-z0-9_/-]+)?$", var.signing_alias))
    error_message = "It begins with alias/, or is empty."
  }
}

variable "make_signing_key" {
  type        = bool
  default     = true
  description = "Whether an empty key of that alias is made, for the App's key to be imported into."
}

variable "make_secrets_key" {
  type        = bool
  default     = false
  description = "Whether a customer's key is made for the secrets; without one, aws/secretsmanager encrypts them."
}

variable "network" {
  type = object({
    vpc                     = string
    subnets                 = list(string)
    database_security_group = string
    database_port           = optional(number, 5432)
  })
  default     = null
  description = "The database's VPC, subnets of it, and the database's security group; null where it is reached from outside a VPC."
}

variable "ca_bundle" {
  type        = string
  default     = ""
  description = "A file with authorities in the package, such as /var/task/global-bundle.pem."
}

variable "admin_hosts" {
  type        = string
  default     = ""
  description = "TWINKEY_ADMIN_HOSTS, host:port,…"
}

variable "database_user" {
  type        = string
  default     = ""
  description = "The ARN (arn:aws:rds-db:…:dbuser:…) of an admin that logs in by IAM."
}

variable "github_api" {
  type        = string
  default     = ""
  description = "TWINKEY_GITHUB_API, of an Enterprise Server."
}

variable "concurrency" {
  type        = number
  default     = 10
  description = "How many rotations of each kind may run at once; 0 reserves nothing, as a new account must."
}

variable "email" {
  type        = string
  default     = ""
  description = "Who is told."
}

variable "make_trail" {
  type        = bool
  default     = true
  description = "Whether a CloudTrail trail is made. The rule on failed rotations needs one in this region, this or yours."
}

variable "log_days" {
  type        = number
  default     = 365
  description = "How long logs are kept."
}
