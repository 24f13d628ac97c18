output "tell_the_site" {
  description = "What the owner of a site needs: the values of the module's variables on the site's side."
  value = {
    cluster_id = var.cluster_id
    domain     = var.domain
    alias      = azurerm_private_link_service.this.alias
  }
}

output "private_link_service_id" {
  description = "For `az network private-endpoint-connection`, which lists and approves connections. There each has its linkIdentifier."
  value       = azurerm_private_link_service.this.id
}

output "backend_address_pool_id" {
  description = "For a scale set that joins the pool by itself."
  value       = azurerm_lb_backend_address_pool.gateway.id
}
