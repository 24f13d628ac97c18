# The plane's side on Azure: an internal load balancer and a Private Link Service that names the endpoint of each connection (PROXY
# protocol, version 2). Only named subscriptions see the service, and connections are approved by hand unless they are named a second
# time.

terraform {
  required_version = ">= 1.6"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

variable "cluster_id" {
  description = "The first label of the agents' host name, as k3 in k3.external.example.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", var.cluster_id))
    error_message = "A cluster ID has at most 30 lower-case letters, digits and dashes."
  }
}

variable "domain" {
  description = "The domain behind .external., as example.com in k3.external.example.com."
  type        = string
}

variable "resource_group_name" {
  description = "The resource group of everything here."
  type        = string
}

variable "location" {
  description = "The region of the gateway's virtual network."
  type        = string
}

variable "virtual_network_name" {
  description = "The gateway's virtual network, in the same resource group."
  type        = string
}

variable "gateway_subnet_id" {
  description = "The subnet in which the load balancer gets its address."
  type        = string
}

variable "nat_subnet_prefix" {
  description = "A free /28 or larger of the virtual network, for the addresses from which endpoints' connections come."
  type        = string
}

variable "nat_addresses" {
  description = "How many of these addresses are used. Azure advises eight or more; a service has at most eight."
  type        = number
  default     = 8

  validation {
    condition     = var.nat_addresses >= 1 && var.nat_addresses <= 8
    error_message = "A Private Link Service has one to eight addresses."
  }
}

variable "gateway_interfaces" {
  description = "Network interfaces of the gateways, by any name. Leave it empty when a scale set or Kubernetes joins the pool by itself."
  type = map(object({
    network_interface_id  = string
    ip_configuration_name = string
  }))
  default = {}
}

variable "gateway_port" {
  description = "The gateway's listener that expects the PROXY protocol and ends TLS."
  type        = number
  default     = 8443
}

variable "health_port" {
  description = "The gateway's plain port for health probes, which expects no PROXY protocol."
  type        = number
  default     = 8081
}

variable "health_path" {
  description = "What a health probe asks for."
  type        = string
  default     = "/readyz"
}

variable "allowed_subscriptions" {
  description = "Subscriptions of sites, which may connect."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.allowed_subscriptions : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", one))])
    error_message = "Name each subscription by its ID. An asterisk would let everyone who has the alias ask for a connection."
  }
}

variable "approved_subscriptions" {
  description = "Those of allowed_subscriptions whose connections are approved without a person."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.approved_subscriptions, var.allowed_subscriptions)) == 0
    error_message = "A subscription that is approved has to be allowed, too."
  }
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}
}

locals {
  host = "${var.cluster_id}.external.${var.domain}"
  name = "tradewind-${var.cluster_id}-private"
}

resource "azurerm_subnet" "nat" {
  name                                          = local.name
  resource_group_name                           = var.resource_group_name
  virtual_network_name                          = var.virtual_network_name
  address_prefixes                              = [var.nat_subnet_prefix]
  private_link_service_network_policies_enabled = false # Azure refuses the service otherwise
}

resource "azurerm_lb" "this" {
  name                = local.name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "Standard"
  tags                = var.tags

  frontend_ip_configuration {
    name      = "private"
    subnet_id = var.gateway_subnet_id
  }
}

# By interfaces and not by addresses: a pool of addresses cannot be behind a Private Link Service.
resource "azurerm_lb_backend_address_pool" "gateway" {
  name            = "gateway"
  loadbalancer_id = azurerm_lb.this.id
}

resource "azurerm_network_interface_backend_address_pool_association" "gateway" {
  for_each = var.gateway_interfaces

  network_interface_id    = each.value.network_interface_id
  ip_configuration_name   = each.value.ip_configuration_name
  backend_address_pool_id = azurerm_lb_backend_address_pool.gateway.id
}

resource "azurerm_lb_probe" "gateway" {
  name                = "ready"
  loadbalancer_id     = azurerm_lb.this.id
  protocol            = "Http"
  port                = var.health_port
  request_path        = var.health_path
  interval_in_seconds = 5
}

resource "azurerm_lb_rule" "https" {
  name                           = "https"
  loadbalancer_id                = azurerm_lb.this.id
  frontend_ip_configuration_name = "private"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.gateway.id]
  probe_id                       = azurerm_lb_probe.gateway.id
  protocol                       = "Tcp"
  frontend_port                  = 443
  backend_port                   = var.gateway_port
  idle_timeout_in_minutes        = 4 # a Private Link Service cuts an idle connection after four to five minutes whatever is here
  tcp_reset_enabled              = true
}

resource "azurerm_private_link_service" "this" {
  name                                        = local.name
  resource_group_name                         = var.resource_group_name
  location                                    = var.location
  load_balancer_frontend_ip_configuration_ids = [azurerm_lb.this.frontend_ip_configuration[0].id]
  enable_proxy_protocol                       = true
  visibility_subscription_ids                 = var.allowed_subscriptions
  auto_approval_subscription_ids              = var.approved_subscriptions
  tags                                        = var.tags

  dynamic "nat_ip_configuration" {
    for_each = range(var.nat_addresses)

    content {
      name      = "nat-${nat_ip_configuration.value}"
      primary   = nat_ip_configuration.value == 0
      subnet_id = azurerm_subnet.nat.id
    }
  }
}
