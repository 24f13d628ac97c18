mock_provider "google" {}

variables {
  cluster_id         = "k3"
  domain             = "example.com"
  project            = "plane"
  region             = "europe-west3"
  network            = "projects/plane/global/networks/plane"
  gateway_subnetwork = "projects/plane/regions/europe-west3/subnetworks/gateway"
  nat_cidr           = "10.90.8.0/24"
  gateway_groups     = ["projects/plane/zones/europe-west3-a/instanceGroups/gateway"]
  gateway_tags       = ["gateway"]
  allowed_projects   = { frankfurt = 2 }
}

run "connections_are_named_and_accepted_by_project" {
  assert {
    condition     = google_compute_service_attachment.this.enable_proxy_protocol && google_compute_service_attachment.this.connection_preference == "ACCEPT_MANUAL"
    error_message = "The gateway would not learn the endpoint, or every project connects."
  }
  assert {
    condition     = [for one in google_compute_service_attachment.this.consumer_accept_lists : one.project_id_or_num] == ["frankfurt"]
    error_message = "The site's project is not allowed."
  }
  assert {
    condition     = google_compute_service_attachment.this.reconcile_connections
    error_message = "A project that is removed would keep its connections."
  }
  assert {
    condition     = google_compute_subnetwork.nat.purpose == "PRIVATE_SERVICE_CONNECT" && google_compute_firewall.endpoints.source_ranges == toset(["10.90.8.0/24"])
    error_message = "Connections of endpoints do not reach the gateway."
  }
}

run "rules_for_every_machine_are_refused" {
  command = plan
  variables {
    gateway_tags = []
  }
  expect_failures = [var.gateway_tags]
}
