# The plane's side on Google Cloud: an internal load balancer and a service attachment that names the connection of each endpoint
# (PROXY protocol, version 2). Only named projects connect.

terraform {
  required_version = ">= 1.6"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8"
    }
  }
}

variable "cluster_id" {
  description = "The first label of the agents' host name, as k3 in k3.external.example.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.cluster_id))
    error_message = "A cluster ID has at most 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "domain" {
  description = "The domain behind .external., as example.com in k3.external.example.com."
  type        = string
}

variable "project" {
  description = "The project of the gateway."
  type        = string
}

variable "region" {
  description = "The region of the gateway. Endpoints of other regions reach it if their owner allows global access."
  type        = string
}

variable "network" {
  description = "The gateway's network, as its self link."
  type        = string
}

variable "gateway_subnetwork" {
  description = "The subnetwork in which the load balancer gets its address, as its self link."
  type        = string
}

variable "nat_cidr" {
  description = "A free range of the network, for the addresses from which endpoints' connections come: one address for 63 endpoints at least."
  type        = string
}

variable "gateway_groups" {
  description = "Instance groups or zonal network endpoint groups (GCE_VM_IP) of the gateways, as their self links."
  type        = set(string)
}

variable "gateway_tags" {
  description = "Network tags of the gateways' machines: firewall rules for health checks and endpoints are made for these."
  type        = set(string)

  validation {
    condition     = length(var.gateway_tags) > 0
    error_message = "Without a tag the rules would hold for every machine of the network."
  }
}

variable "gateway_port" {
  description = "The gateway's listener that expects the PROXY protocol and ends TLS. This load balancer does not change ports."
  type        = number
  default     = 443
}

variable "health_port" {
  description = "The gateway's plain port for health checks, which expects no PROXY protocol."
  type        = number
  default     = 8081
}

variable "health_path" {
  description = "What a health check asks for."
  type        = string
  default     = "/readyz"
}

variable "allowed_projects" {
  description = "Projects of sites, which may connect, and how many endpoints each may have."
  type        = map(number)
  default     = {}
}

locals {
  host = "${var.cluster_id}.external.${var.domain}"
  name = "tradewind-${var.cluster_id}-private"
}

resource "google_compute_subnetwork" "nat" {
  name          = "${local.name}-nat"
  project       = var.project
  region        = var.region
  network       = var.network
  ip_cidr_range = var.nat_cidr
  purpose       = "PRIVATE_SERVICE_CONNECT"
}

resource "google_compute_region_health_check" "gateway" {
  name               = local.name
  project            = var.project
  region             = var.region
  check_interval_sec = 5
  timeout_sec        = 5

  http_health_check {
    port         = var.health_port
    request_path = var.health_path
  }
}

resource "google_compute_region_backend_service" "gateway" {
  name                            = local.name
  project                         = var.project
  region                          = var.region
  protocol                        = "TCP"
  load_balancing_scheme           = "INTERNAL"
  health_checks                   = [google_compute_region_health_check.gateway.id]
  connection_draining_timeout_sec = 60

  dynamic "backend" {
    for_each = var.gateway_groups

    content {
      group          = backend.value
      balancing_mode = "CONNECTION"
    }
  }
}

resource "google_compute_forwarding_rule" "gateway" {
  name                  = local.name
  project               = var.project
  region                = var.region
  network               = var.network
  subnetwork            = var.gateway_subnetwork
  load_balancing_scheme = "INTERNAL"
  ip_protocol           = "TCP"
  ports                 = [tostring(var.gateway_port)]
  backend_service       = google_compute_region_backend_service.gateway.id
  allow_global_access   = true
}

resource "google_compute_service_attachment" "this" {
  name                  = local.name
  project               = var.project
  region                = var.region
  description           = local.host
  target_service        = google_compute_forwarding_rule.gateway.id
  nat_subnets           = [google_compute_subnetwork.nat.id]
  enable_proxy_protocol = true
  connection_preference = "ACCEPT_MANUAL"
  reconcile_connections = true # a project that is removed here loses its connections

  dynamic "consumer_accept_lists" {
    for_each = var.allowed_projects

    content {
      project_id_or_num = consumer_accept_lists.key
      connection_limit  = consumer_accept_lists.value
    }
  }
}

resource "google_compute_firewall" "endpoints" {
  name          = "${local.name}-endpoints"
  project       = var.project
  network       = var.network
  direction     = "INGRESS"
  source_ranges = [var.nat_cidr]
  target_tags   = var.gateway_tags

  allow {
    protocol = "tcp"
    ports    = [tostring(var.gateway_port)]
  }
}

resource "google_compute_firewall" "health" {
  name          = "${local.name}-health"
  project       = var.project
  network       = var.network
  direction     = "INGRESS"
  source_ranges = ["35.191.0.0/16", "130.211.0.0/22"] # of Google's health checks
  target_tags   = var.gateway_tags

  allow {
    protocol = "tcp"
    ports    = [tostring(var.health_port)]
  }
}
