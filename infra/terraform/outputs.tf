output "postgres_function" {
  description = "What Postgres secrets name as their rotation function."
  value       = module.postgres.arn
}

output "github_function" {
  description = "What GitHub's secrets name as theirs."
  value       = module.github.arn
}

output "tick_function" {
  description = "Takes a person's request for a rotation too."
  value       = module.tick.arn
}

output "topic" {
  description = "To subscribe to."
  value       = module.watch.topic
}

output "secrets_key" {
  description = "To encrypt the secrets with; empty if none was made."
  value       = module.keys.secrets_key
}
