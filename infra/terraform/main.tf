# twinkey in one region: the rotation functions of Postgres and GitHub, the tick, and what watches over them.

module "keys" {
  source           = "./modules/keys"
  name             = var.name
  signing_alias    = var.make_signing_key ? var.signing_alias : ""
  make_secrets_key = var.make_secrets_key
}

module "network" {
  count                   = var.network == null ? 0 : 1
  source                  = "./modules/network"
  name                    = "${var.name}-postgres"
  vpc                     = var.network.vpc
  subnets                 = var.network.subnets
  database_security_group = var.network.database_security_group
  database_port           = var.network.database_port
}

module "watch" {
  source  = "./modules/watch"
  name    = var.name
  email   = var.email
  secrets = [var.postgres_secrets, var.github_secrets]
}

module "trail" {
  count    = var.make_trail ? 1 : 0
  source   = "./modules/trail"
  name     = var.name
  log_days = var.log_days
}

module "postgres" {
  source             = "./modules/rotator"
  name               = "${var.name}-postgres"
  package            = var.package
  secrets            = var.postgres_secrets
  borrowed           = var.admin_secrets
  master_user_secret = var.master_user_secret
  signing_alias      = ""
  encrypts           = var.make_secrets_key
  secrets_key        = module.keys.secrets_key
  database_user      = var.database_user
  in_vpc             = var.network != null
  subnets            = var.network == null ? [] : var.network.subnets
  security_group     = var.network == null ? "" : module.network[0].security_group
  ca_bundle          = var.ca_bundle
  admin_hosts        = var.admin_hosts
  github_api         = ""
  concurrency        = var.concurrency
  log_days           = var.log_days
  topic              = module.watch.topic
}

module "github" {
  source             = "./modules/rotator"
  name               = "${var.name}-github"
  package            = var.package
  secrets            = var.github_secrets
  borrowed           = var.app_secrets
  master_user_secret = ""
  signing_alias      = var.signing_alias
  encrypts           = var.make_secrets_key
  secrets_key        = module.keys.secrets_key
  database_user      = ""
  # GitHub is reached over the internet.
  in_vpc         = false
  subnets        = []
  security_group = ""
  ca_bundle      = var.ca_bundle
  admin_hosts    = ""
  github_api     = var.github_api
  concurrency    = var.concurrency
  log_days       = var.log_days
  topic          = module.watch.topic
}

module "tick" {
  source   = "./modules/tick"
  name     = "${var.name}-tick"
  package  = var.package
  rotators = [module.postgres.arn, module.github.arn]
  reserves = var.concurrency > 0
  secrets  = [var.postgres_secrets, var.github_secrets]
  log_days = var.log_days
  topic    = module.watch.topic
}
