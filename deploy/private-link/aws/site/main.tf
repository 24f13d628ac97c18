# A site's side on AWS: an endpoint in the agents' VPC, and a private zone that leads the plane's host name to it.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "cluster_id" {
  description = "As the plane's owner says: the first label of the plane's host name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", var.cluster_id))
    error_message = "A cluster ID has at most 30 lower-case letters, digits and dashes."
  }
}

variable "domain" {
  description = "As the plane's owner says: example.com for <cluster_id>.external.example.com."
  type        = string
}

variable "service_name" {
  description = "As the plane's owner says: com.amazonaws.vpce.<region>.vpce-svc-…"
  type        = string

  validation {
    condition     = can(regex("^com\\.amazonaws\\.vpce\\.[a-z0-9-]+\\.vpce-svc-[0-9a-f]+$", var.service_name))
    error_message = "It is com.amazonaws.vpce.<region>.vpce-svc-<number>."
  }
}

variable "service_region" {
  description = "The service's region, if it is another one than the endpoint's."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The agents' VPC. Its settings enableDnsSupport and enableDnsHostnames have to be on, or a private zone has no effect."
  type        = string
}

variable "subnet_ids" {
  description = "A subnet in each zone that the service has."
  type        = set(string)
}

variable "agent_cidrs" {
  description = "Networks from which agents reach the endpoint."
  type        = set(string)

  validation {
    condition     = length(var.agent_cidrs) > 0 && !contains(var.agent_cidrs, "0.0.0.0/0")
    error_message = "Name the agents' networks. Without one, nothing reaches the endpoint."
  }
}

variable "further_vpc_ids" {
  description = "VPCs of this account and region that reach the endpoint over peering or a transit gateway: the zone is linked to each."
  type        = set(string)
  default     = []
}

variable "wide_zone" {
  description = "Make the zone external.<domain>, for several clusters. It hides all other names below external.<domain> from the VPC."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}
}

locals {
  host = "${var.cluster_id}.external.${var.domain}"
  zone = var.wide_zone ? "external.${var.domain}" : local.host
}

resource "aws_security_group" "endpoint" {
  name        = "tradewind-${var.cluster_id}"
  description = "Private endpoint of ${local.host}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "agents" {
  for_each = var.agent_cidrs

  security_group_id = aws_security_group.endpoint.id
  description       = "Agents"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_endpoint" "plane" {
  vpc_endpoint_type   = "Interface"
  vpc_id              = var.vpc_id
  service_name        = var.service_name
  service_region      = var.service_region
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoint.id]
  private_dns_enabled = false # the zone below has the name
  tags                = merge(var.tags, { Name = local.host })
}

resource "aws_route53_zone" "plane" {
  name    = local.zone
  comment = "Leads agents to the private endpoint of ${local.host}"
  tags    = var.tags

  vpc {
    vpc_id = var.vpc_id
  }

  lifecycle {
    ignore_changes = [vpc] # the associations below
  }
}

resource "aws_route53_zone_association" "further" {
  for_each = var.further_vpc_ids

  zone_id = aws_route53_zone.plane.zone_id
  vpc_id  = each.value
}

resource "aws_route53_record" "plane" {
  zone_id = aws_route53_zone.plane.zone_id
  name    = local.host
  type    = "A"

  alias {
    name                   = aws_vpc_endpoint.plane.dns_entry[0].dns_name
    zone_id                = aws_vpc_endpoint.plane.dns_entry[0].hosted_zone_id
    evaluate_target_health = true
  }
}
