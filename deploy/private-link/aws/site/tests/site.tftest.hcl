mock_provider "aws" {
  mock_resource "aws_vpc_endpoint" {
    defaults = {
      id        = "vpce-08d2bf15fac5001c9"
      owner_id  = "111122223333"
      dns_entry = [{ dns_name = "vpce-08d2bf15fac5001c9-x.vpce-svc-0.eu-central-1.vpce.amazonaws.com", hosted_zone_id = "Z1" }]
    }
  }
}

variables {
  cluster_id   = "k3"
  domain       = "example.com"
  service_name = "com.amazonaws.vpce.eu-central-1.vpce-svc-0123456789abcdef0"
  vpc_id       = "vpc-1"
  subnet_ids   = ["subnet-1", "subnet-2"]
  agent_cidrs  = ["10.20.0.0/24"]
}

run "the_zone_has_the_planes_name_alone" {
  assert {
    condition     = aws_route53_zone.plane.name == "k3.external.example.com" && aws_route53_record.plane.name == "k3.external.example.com"
    error_message = "The record is not at the zone's apex."
  }
  assert {
    condition     = aws_route53_record.plane.alias[0].zone_id == "Z1"
    error_message = "The record does not lead to the endpoint."
  }
  assert {
    condition     = [for one in aws_vpc_security_group_ingress_rule.agents : one.from_port] == [443]
    error_message = "The agents do not reach the endpoint."
  }
  assert {
    condition     = output.tell_the_plane.endpoint == "aws:vpce-08d2bf15fac5001c9" && output.tell_the_plane.account == "111122223333"
    error_message = "The plane's owner cannot allow the endpoint with this."
  }
}

run "a_wide_zone_has_the_same_record" {
  variables {
    wide_zone       = true
    further_vpc_ids = ["vpc-2", "vpc-3"]
  }
  assert {
    condition     = aws_route53_zone.plane.name == "external.example.com" && aws_route53_record.plane.name == "k3.external.example.com"
    error_message = "The zone or the record is wrong."
  }
  assert {
    condition     = length(aws_route53_zone_association.further) == 2
    error_message = "The zone is not linked to each network."
  }
}

run "an_endpoint_for_everybody_is_refused" {
  command = plan
  variables {
    agent_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.agent_cidrs]
}

run "a_service_of_another_kind_is_refused" {
  command = plan
  variables {
    service_name = "com.amazonaws.eu-central-1.s3"
  }
  expect_failures = [var.service_name]
}
