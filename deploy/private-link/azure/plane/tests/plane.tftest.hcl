mock_provider "azurerm" {
  mock_resource "azurerm_private_link_service" {
    defaults = {
      alias = "tradewind-k3-private.0a1b2c3d-1111-2222-3333-444455556666.westeurope.azure.privatelinkservice"
    }
  }
}

variables {
  cluster_id            = "k3"
  domain                = "example.com"
  resource_group_name   = "plane"
  location              = "westeurope"
  virtual_network_name  = "plane"
  gateway_subnet_id     = "/subscriptions/s/resourceGroups/plane/providers/Microsoft.Network/virtualNetworks/plane/subnets/gateway"
  nat_subnet_prefix     = "10.90.8.0/28"
  allowed_subscriptions = ["0a1b2c3d-1111-2222-3333-444455556666"]
  gateway_interfaces    = { a = { network_interface_id = "/a", ip_configuration_name = "internal" } }
}

run "connections_are_named_and_approved_by_hand" {
  assert {
    condition     = azurerm_private_link_service.this.enable_proxy_protocol
    error_message = "The gateway would not learn the endpoint."
  }
  assert {
    condition     = azurerm_private_link_service.this.visibility_subscription_ids == toset(["0a1b2c3d-1111-2222-3333-444455556666"]) && length(azurerm_private_link_service.this.auto_approval_subscription_ids) == 0
    error_message = "The service is visible to others, or approves by itself."
  }
  assert {
    condition     = [for one in azurerm_private_link_service.this.nat_ip_configuration : one.primary] == [true, false, false, false, false, false, false, false]
    error_message = "There are not eight addresses with one primary."
  }
  assert {
    condition     = azurerm_lb.this.sku == "Standard" && azurerm_subnet.nat.private_link_service_network_policies_enabled == false
    error_message = "Azure refuses such a Private Link Service."
  }
  assert {
    condition     = azurerm_lb_probe.gateway.port == 8081 && azurerm_lb_rule.https.backend_port == 8443
    error_message = "A probe on the listener of the PROXY protocol never succeeds."
  }
  assert {
    condition     = endswith(output.tell_the_site.alias, ".azure.privatelinkservice")
    error_message = "The site is not told the alias."
  }
}

run "approval_without_permission_is_refused" {
  command = plan
  variables {
    approved_subscriptions = ["ffffffff-1111-2222-3333-444455556666"]
  }
  expect_failures = [var.approved_subscriptions]
}

run "every_subscription_at_once_is_refused" {
  command = plan
  variables {
    allowed_subscriptions = ["*"]
  }
  expect_failures = [var.allowed_subscriptions]
}
