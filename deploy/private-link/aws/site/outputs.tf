output "tell_the_plane" {
  description = "What the owner of the plane needs: to accept the connection, and to allow the endpoint."
  value = {
    endpoint = "aws:${aws_vpc_endpoint.plane.id}"
    account  = aws_vpc_endpoint.plane.owner_id
  }
}

output "plane_host" {
  description = "The agents' plane_url is https:// and this name, and the Deployment's path behind it."
  value       = local.host
}

output "state" {
  description = "pendingAcceptance until the plane's owner has accepted the connection, then available."
  value       = aws_vpc_endpoint.plane.state
}

output "zone_id" {
  description = "To link the zone to a VPC of another account or region."
  value       = aws_route53_zone.plane.zone_id
}
