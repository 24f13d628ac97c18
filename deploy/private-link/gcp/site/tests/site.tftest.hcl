mock_provider "google" {
  mock_resource "google_compute_address" {
    defaults = {
      address = "10.20.0.5"
    }
  }
  mock_resource "google_compute_forwarding_rule" {
    defaults = {
      psc_connection_id     = "18446744072637474818"
      psc_connection_status = "PENDING"
    }
  }
}

variables {
  cluster_id         = "k3"
  domain             = "example.com"
  service_attachment = "projects/plane/regions/europe-west3/serviceAttachments/tradewind-k3-private"
  project            = "frankfurt"
  network            = "projects/frankfurt/global/networks/agents"
  subnetwork         = "projects/frankfurt/regions/europe-west3/subnetworks/agents"
}

run "the_zone_has_the_planes_name_alone" {
  assert {
    condition     = google_dns_managed_zone.plane.dns_name == "k3.external.example.com." && google_dns_record_set.plane.name == "k3.external.example.com."
    error_message = "The record is not at the zone's apex."
  }
  assert {
    condition     = google_dns_record_set.plane.rrdatas == tolist(["10.20.0.5"]) && google_compute_address.endpoint.region == "europe-west3"
    error_message = "The record does not lead to the endpoint, or the endpoint is in another region than the service."
  }
  assert {
    condition     = output.tell_the_plane.endpoint == "gcp:18446744072637474818" && output.state == "PENDING"
    error_message = "The plane's owner cannot allow the endpoint with this."
  }
  assert {
    condition     = length(google_compute_firewall.nothing_else) == 0
    error_message = "Without tags, no machine may be shut out."
  }
}

run "a_wide_zone_is_visible_to_each_network" {
  variables {
    wide_zone        = true
    further_networks = ["projects/frankfurt/global/networks/lake"]
    agent_tags       = ["agent"]
  }
  assert {
    condition     = google_dns_managed_zone.plane.dns_name == "external.example.com." && google_dns_record_set.plane.name == "k3.external.example.com."
    error_message = "The zone or the record is wrong."
  }
  assert {
    condition     = length(google_dns_managed_zone.plane.private_visibility_config[0].networks) == 2
    error_message = "The zone is not visible to each network."
  }
  assert {
    condition     = google_compute_firewall.agents[0].priority < google_compute_firewall.nothing_else[0].priority
    error_message = "The agents are shut out with all others."
  }
}

run "a_name_in_place_of_the_attachment_is_refused" {
  command = plan
  variables {
    service_attachment = "tradewind-k3-private"
  }
  expect_failures = [var.service_attachment]
}
