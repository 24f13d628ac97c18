# A site's side on Azure: an endpoint in a subnet of its own, and a private zone that leads the plane's host name to it.

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

variable "alias" {
  description = "As the plane's owner says: the alias of the Private Link Service."
  type        = string

  validation {
    condition     = can(regex("^[^.]+\\.[0-9a-f-]{36}\\.[a-z0-9]+\\.azure\\.privatelinkservice$", var.alias))
    error_message = "An alias is <prefix>.<GUID>.<region>.azure.privatelinkservice."
  }
}

variable "resource_group_name" {
  description = "The resource group of everything here."
  type        = string
}

variable "location" {
  description = "The region of the agents' virtual network. The service may be in another one."
  type        = string
}

variable "virtual_network_name" {
  description = "The agents' virtual network, in the same resource group."
  type        = string
}

variable "virtual_network_id" {
  description = "The ID of the same virtual network."
  type        = string
}

variable "endpoint_subnet_prefix" {
  description = "A free /29 or larger of the virtual network, for the endpoint."
  type        = string
}

variable "agent_prefixes" {
  description = "Networks from which agents reach the endpoint."
  type        = set(string)

  validation {
    condition     = length(var.agent_prefixes) > 0 && !contains(var.agent_prefixes, "0.0.0.0/0")
    error_message = "Name the agents' networks. Without one, nothing reaches the endpoint."
  }
}

variable "further_virtual_network_ids" {
  description = "Virtual networks that reach the endpoint over peering or a VPN, by any name: the zone is linked to each."
  type        = map(string)
  default     = {}
}

variable "wide_zone" {
  description = "Make the zone external.<domain>, for several clusters. It hides all other names below external.<domain> from the network."
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
  name = "tradewind-${var.cluster_id}"
}

resource "azurerm_subnet" "endpoint" {
  name                              = local.name
  resource_group_name               = var.resource_group_name
  virtual_network_name              = var.virtual_network_name
  address_prefixes                  = [var.endpoint_subnet_prefix]
  private_endpoint_network_policies = "NetworkSecurityGroupEnabled" # the group below has no effect otherwise
}

resource "azurerm_network_security_group" "endpoint" {
  name                = local.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  security_rule {
    name                       = "agents"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = var.agent_prefixes
    source_port_range          = "*"
    destination_address_prefix = var.endpoint_subnet_prefix
    destination_port_range     = "443"
  }

  security_rule {
    name                       = "nothing-else"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "endpoint" {
  subnet_id                 = azurerm_subnet.endpoint.id
  network_security_group_id = azurerm_network_security_group.endpoint.id
}

resource "azurerm_private_endpoint" "plane" {
  name                = local.name
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = azurerm_subnet.endpoint.id
  tags                = var.tags

  private_service_connection {
    name                              = local.name
    private_connection_resource_alias = var.alias
    is_manual_connection              = true # by the alias of a service of another subscription
    request_message                   = "Agents for ${local.host}"
  }
}

resource "azurerm_private_dns_zone" "plane" {
  name                = local.zone
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "agents" {
  name                  = local.name
  resource_group_name   = var.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.plane.name
  virtual_network_id    = var.virtual_network_id
  tags                  = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "further" {
  for_each = var.further_virtual_network_ids

  name                  = "${local.name}-${each.key}"
  resource_group_name   = var.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.plane.name
  virtual_network_id    = each.value
  tags                  = var.tags
}

resource "azurerm_private_dns_a_record" "plane" {
  name                = var.wide_zone ? var.cluster_id : "@"
  resource_group_name = var.resource_group_name
  zone_name           = azurerm_private_dns_zone.plane.name
  ttl                 = 60
  records             = [azurerm_private_endpoint.plane.private_service_connection[0].private_ip_address]
  tags                = var.tags
}
