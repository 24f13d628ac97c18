output "tell_the_site" {
  description = "What the owner of a site needs: the values of the module's variables on the site's side."
  value = {
    cluster_id     = var.cluster_id
    domain         = var.domain
    service_name   = aws_vpc_endpoint_service.this.service_name
    service_region = data.aws_vpc.this.region
    zones          = aws_vpc_endpoint_service.this.availability_zones
  }
}

output "service_id" {
  description = "For `aws ec2 accept-vpc-endpoint-connections`."
  value       = aws_vpc_endpoint_service.this.id
}

output "target_group_arn" {
  description = "For a controller that registers gateways by itself, as TargetGroupBinding does."
  value       = aws_lb_target_group.gateway.arn
}

output "load_balancer_security_group_id" {
  description = "The only source that the gateways' security group has to let in."
  value       = aws_security_group.load_balancer.id
}
