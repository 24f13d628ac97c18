# The plane's side on AWS: a network load balancer that names the endpoint of each connection (PROXY protocol, version 2), and the
# endpoint service that sites connect to. Each site's account is allowed by name, and each connection is accepted by hand.

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
  description = "The first label of the agents' host name, as k3 in k3.external.example.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", var.cluster_id))
    error_message = "A cluster ID has at most 30 lower-case letters, digits and dashes: it is part of a host name and of a load balancer's name."
  }
}

variable "domain" {
  description = "The domain behind .external., as example.com in k3.external.example.com."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the gateway."
  type        = string
}

variable "subnet_ids" {
  description = "A private subnet in each availability zone in which sites may have endpoints."
  type        = set(string)
}

variable "gateway_addresses" {
  description = "Private addresses of the gateways. Leave it empty when a controller of Kubernetes fills the target group."
  type        = set(string)
  default     = []
}

variable "gateway_port" {
  description = "The gateway's listener that expects the PROXY protocol and ends TLS."
  type        = number
  default     = 8443
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

variable "allowed_principals" {
  description = "ARNs that may connect: arn:aws:iam::<account>:root for a site's whole account, or one role of it."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.allowed_principals : startswith(one, "arn:")])
    error_message = "Name each account or role by its ARN. An asterisk would let every AWS account ask for a connection."
  }
}

variable "supported_regions" {
  description = "Further regions in which sites may have endpoints. The service's own region always works."
  type        = set(string)
  default     = []
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}
}

locals {
  host = "${var.cluster_id}.external.${var.domain}"
}

resource "aws_security_group" "load_balancer" {
  name        = "tradewind-${var.cluster_id}-private"
  description = "Load balancer of the private endpoints of ${local.host}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "to_gateways" {
  for_each = toset([for port in distinct([var.gateway_port, var.health_port]) : tostring(port)])

  security_group_id = aws_security_group.load_balancer.id
  description       = "To the gateways"
  cidr_ipv4         = data.aws_vpc.this.cidr_block
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
  tags              = var.tags
}

data "aws_vpc" "this" {
  id = var.vpc_id
}

# The group has no rule for incoming traffic, and traffic of endpoints is not held against it: what reaches the gateway through this
# load balancer has come by a private endpoint.
resource "aws_lb" "this" {
  name                                                         = "${var.cluster_id}-p"
  internal                                                     = true
  load_balancer_type                                           = "network"
  subnets                                                      = var.subnet_ids
  security_groups                                              = [aws_security_group.load_balancer.id]
  enforce_security_group_inbound_rules_on_private_link_traffic = "off"
  enable_cross_zone_load_balancing                             = true
  enable_deletion_protection                                   = true
  tags                                                         = var.tags
}

# The source of a connection is always the load balancer's address. The PROXY protocol names the client's address and its endpoint.
resource "aws_lb_target_group" "gateway" {
  name               = "${var.cluster_id}-p"
  vpc_id             = var.vpc_id
  target_type        = "ip"
  protocol           = "TCP"
  port               = var.gateway_port
  proxy_protocol_v2  = true
  preserve_client_ip = "false"
  tags               = var.tags

  health_check {
    protocol = "HTTP"
    port     = tostring(var.health_port)
    path     = var.health_path
    matcher  = "200"
    interval = 10
  }
}

resource "aws_lb_target_group_attachment" "gateway" {
  for_each = var.gateway_addresses

  target_group_arn = aws_lb_target_group.gateway.arn
  target_id        = each.value
  port             = var.gateway_port
}

resource "aws_lb_listener" "https" {
  load_balancer_arn        = aws_lb.this.arn
  protocol                 = "TCP" # the gateway has the certificate, so that the balancer cannot read tokens
  port                     = 443
  tcp_idle_timeout_seconds = 350 # the longest that endpoints allow, too
  tags                     = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}

resource "aws_vpc_endpoint_service" "this" {
  acceptance_required        = true
  network_load_balancer_arns = [aws_lb.this.arn]
  supported_ip_address_types = ["ipv4"]
  supported_regions          = var.supported_regions
  tags                       = merge(var.tags, { Name = local.host })
}

resource "aws_vpc_endpoint_service_allowed_principal" "site" {
  for_each = var.allowed_principals

  vpc_endpoint_service_id = aws_vpc_endpoint_service.this.id
  principal_arn           = each.value
}
