output "tell_the_site" {
  description = "What the owner of a site needs: the values of the module's variables on the site's side."
  value = {
    cluster_id         = var.cluster_id
    domain             = var.domain
    service_attachment = google_compute_service_attachment.this.id
    port               = var.gateway_port
  }
}

output "connected_endpoints" {
  description = "Each connection with its state and its PSC connection ID, which the Deployment allows as gcp:<ID>."
  value       = google_compute_service_attachment.this.connected_endpoints
}
