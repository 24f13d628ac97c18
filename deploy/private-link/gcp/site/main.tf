# A site's side on Google Cloud: an endpoint in the agents' network, and a private zone that leads the plane's host name to it.

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
  description = "As the plane's owner says: the first label of the plane's host name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.cluster_id))
    error_message = "A cluster ID has at most 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "domain" {
  description = "As the plane's owner says: example.com for <cluster_id>.external.example.com."
  type        = string
}

variable "service_attachment" {
  description = "As the plane's owner says: projects/<project>/regions/<region>/serviceAttachments/<name>."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/regions/[^/]+/serviceAttachments/[^/]+$", var.service_attachment))
    error_message = "It is projects/<project>/regions/<region>/serviceAttachments/<name>."
  }
}

variable "project" {
  description = "The project of the agents."
  type        = string
}

variable "network" {
  description = "The agents' network, as its self link."
  type        = string
}

variable "subnetwork" {
  description = "A subnetwork in the service's region, in which the endpoint gets its address, as its self link."
  type        = string
}

variable "global_access" {
  description = "Whether agents of other regions reach the endpoint."
  type        = bool
  default     = false
}

variable "agent_tags" {
  description = "Network tags of the agents' machines. With tags, no other machine of the network may connect to the endpoint."
  type        = set(string)
  default     = []
}

variable "further_networks" {
  description = "Networks, as their self links, that reach the endpoint over a VPN or an interconnect: the zone is visible to each."
  type        = set(string)
  default     = []
}

variable "wide_zone" {
  description = "Make the zone external.<domain>, for several clusters. It hides all other names below external.<domain> from the network."
  type        = bool
  default     = false
}

locals {
  host   = "${var.cluster_id}.external.${var.domain}"
  zone   = var.wide_zone ? "external.${var.domain}" : local.host
  name   = "tradewind-${var.cluster_id}"
  region = split("/", var.service_attachment)[3]
}

resource "google_compute_address" "endpoint" {
  name         = local.name
  project      = var.project
  region       = local.region
  subnetwork   = var.subnetwork
  address_type = "INTERNAL"
}

resource "google_compute_forwarding_rule" "endpoint" {
  name                    = local.name
  project                 = var.project
  region                  = local.region
  network                 = var.network
  ip_address              = google_compute_address.endpoint.id
  target                  = var.service_attachment
  load_balancing_scheme   = "" # an endpoint, and no load balancer
  allow_psc_global_access = var.global_access
}

resource "google_dns_managed_zone" "plane" {
  name        = local.name
  project     = var.project
  dns_name    = "${local.zone}."
  description = "Leads agents to the private endpoint of ${local.host}"
  visibility  = "private"

  private_visibility_config {
    dynamic "networks" {
      for_each = setunion([var.network], var.further_networks)

      content {
        network_url = networks.value
      }
    }
  }
}

resource "google_dns_record_set" "plane" {
  name         = "${local.host}."
  project      = var.project
  managed_zone = google_dns_managed_zone.plane.name
  type         = "A"
  ttl          = 60
  rrdatas      = [google_compute_address.endpoint.address]
}

# An endpoint has no firewall of its own: what may reach it is decided where connections begin.
resource "google_compute_firewall" "agents" {
  count = length(var.agent_tags) > 0 ? 1 : 0

  name               = "${local.name}-agents"
  project            = var.project
  network            = var.network
  direction          = "EGRESS"
  priority           = 900
  destination_ranges = ["${google_compute_address.endpoint.address}/32"]
  target_tags        = var.agent_tags

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "nothing_else" {
  count = length(var.agent_tags) > 0 ? 1 : 0

  name               = "${local.name}-nothing-else"
  project            = var.project
  network            = var.network
  direction          = "EGRESS"
  priority           = 910
  destination_ranges = ["${google_compute_address.endpoint.address}/32"]

  deny {
    protocol = "all"
  }
}
