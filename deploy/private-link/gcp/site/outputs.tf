output "tell_the_plane" {
  description = "What the owner of the plane needs: to see the connection, and to allow it."
  value = {
    endpoint = "gcp:${google_compute_forwarding_rule.endpoint.psc_connection_id}"
    project  = var.project
  }
}

output "plane_host" {
  description = "The agents' plane_url is https:// and this name, and the Deployment's path behind it."
  value       = local.host
}

output "address" {
  description = "What the name of the plane leads to from the linked networks."
  value       = google_compute_address.endpoint.address
}

output "state" {
  description = "PENDING until the plane's owner has added the project, then ACCEPTED."
  value       = google_compute_forwarding_rule.endpoint.psc_connection_status
}
