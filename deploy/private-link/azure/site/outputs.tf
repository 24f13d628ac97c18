output "tell_the_plane" {
  description = "What the owner of the plane needs to find the connection, to approve it, and to look up its link identifier."
  value = {
    private_endpoint_id = azurerm_private_endpoint.plane.id
  }
}

output "plane_host" {
  description = "The agents' plane_url is https:// and this name, and the Deployment's path behind it."
  value       = local.host
}

output "address" {
  description = "What the name of the plane leads to from the linked networks."
  value       = azurerm_private_endpoint.plane.private_service_connection[0].private_ip_address
}
