mock_provider "azurerm" {}

variables {
  cluster_id             = "k3"
  domain                 = "example.com"
  alias                  = "tradewind-k3-private.0a1b2c3d-1111-2222-3333-444455556666.westeurope.azure.privatelinkservice"
  resource_group_name    = "site"
  location               = "westeurope"
  virtual_network_name   = "site"
  virtual_network_id     = "/subscriptions/s/resourceGroups/site/providers/Microsoft.Network/virtualNetworks/site"
  endpoint_subnet_prefix = "10.20.9.0/29"
  agent_prefixes         = ["10.20.0.0/24"]
}

run "the_zone_has_the_planes_name_alone" {
  assert {
    condition     = azurerm_private_dns_zone.plane.name == "k3.external.example.com" && azurerm_private_dns_a_record.plane.name == "@"
    error_message = "The record is not at the zone's apex."
  }
  assert {
    condition     = azurerm_private_endpoint.plane.private_service_connection[0].is_manual_connection
    error_message = "Azure refuses an alias otherwise."
  }
  assert {
    condition     = azurerm_private_dns_a_record.plane.records == toset([output.address])
    error_message = "The record does not lead to the endpoint."
  }
  assert {
    condition     = azurerm_subnet.endpoint.private_endpoint_network_policies == "NetworkSecurityGroupEnabled"
    error_message = "The network security group has no effect on endpoints."
  }
}

run "a_wide_zone_has_a_record_of_the_cluster" {
  variables {
    wide_zone                   = true
    further_virtual_network_ids = { hub = "/hub", lake = "/lake" }
  }
  assert {
    condition     = azurerm_private_dns_zone.plane.name == "external.example.com" && azurerm_private_dns_a_record.plane.name == "k3"
    error_message = "The zone or the record is wrong."
  }
  assert {
    condition     = length(azurerm_private_dns_zone_virtual_network_link.further) == 2
    error_message = "The zone is not linked to each network."
  }
}

run "a_resource_id_in_place_of_an_alias_is_refused" {
  command = plan
  variables {
    alias = "/subscriptions/s/resourceGroups/plane/providers/Microsoft.Network/privateLinkServices/x"
  }
  expect_failures = [var.alias]
}
