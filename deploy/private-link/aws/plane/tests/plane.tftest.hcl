mock_provider "aws" {
  mock_resource "aws_vpc_endpoint_service" {
    defaults = {
      service_name = "com.amazonaws.vpce.eu-central-1.vpce-svc-0123456789abcdef0"
    }
  }
}

variables {
  cluster_id         = "k3"
  domain             = "example.com"
  vpc_id             = "vpc-0a1b2c3d"
  subnet_ids         = ["subnet-1", "subnet-2"]
  gateway_addresses  = ["10.90.0.20", "10.90.1.20"]
  allowed_principals = ["arn:aws:iam::111122223333:root"]
}

run "connections_are_named_and_accepted_by_hand" {
  assert {
    condition     = aws_lb_target_group.gateway.proxy_protocol_v2 && aws_lb_target_group.gateway.protocol == "TCP"
    error_message = "The gateway would not learn the endpoint."
  }
  assert {
    condition     = aws_vpc_endpoint_service.this.acceptance_required
    error_message = "Any allowed account would be connected without a person."
  }
  assert {
    condition     = [for one in aws_vpc_endpoint_service_allowed_principal.site : one.principal_arn] == ["arn:aws:iam::111122223333:root"]
    error_message = "The site's account is not allowed."
  }
  assert {
    condition     = aws_lb.this.internal && length(aws_lb_target_group_attachment.gateway) == 2
    error_message = "The load balancer is not internal, or lacks a gateway."
  }
  assert {
    condition     = aws_lb_target_group.gateway.health_check[0].port == "8081"
    error_message = "A health check on the listener of the PROXY protocol never succeeds."
  }
}

run "the_site_is_told_all_that_it_needs" {
  assert {
    condition     = output.tell_the_site.service_name == "com.amazonaws.vpce.eu-central-1.vpce-svc-0123456789abcdef0" && output.tell_the_site.cluster_id == "k3"
    error_message = "The output lacks what the site's module asks for."
  }
}

run "every_account_at_once_is_refused" {
  command = plan
  variables {
    allowed_principals = ["*"]
  }
  expect_failures = [var.allowed_principals]
}
