variable "name" {
  type        = string
  description = "The function's name; what belongs to it is named after it."
}

variable "package" {
  type        = string
  description = "The zip with the program."
}

variable "rotators" {
  type        = list(string)
  description = "The ARNs of the rotation functions."
}

variable "secrets" {
  type        = list(string)
  description = "What the names of the secrets begin with that it may have rotated."
}

variable "reserves" {
  type        = bool
  description = "Whether the one execution that it needs is reserved."
}

variable "log_days" {
  type        = number
  description = "How long its log is kept."
}

variable "topic" {
  type        = string
  description = "The ARN of the SNS topic that alarms go to."
}
