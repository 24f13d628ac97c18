"""The agents' chart in a real cluster: two sites in restricted namespaces, where all traffic is denied but the chart's own."""

from __future__ import annotations

import pytest

from support.airflow_rest import AirflowRest
from support.cluster_site import Site


@pytest.mark.parametrize(
    "dag", ["tutorial_taskflow_api", "example_branch_labels", "example_time_delta_sensor_async"]
)
def test_airflows_examples_run(frankfurt: Site, rest: AirflowRest, dag: str) -> None:
    rest.wait_for_dags([dag])
    done = rest.run(dag, timeout=300)
    assert done.state == "success", (done, frankfurt.cluster.about("frankfurt"))


def test_no_pod_was_restarted_on_the_way(frankfurt: Site) -> None:
    for part in ("default", "dag-processor", "triggerer"):
        (pod,) = frankfurt.pods(part)
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]


def test_two_sites_in_two_namespaces_run_each_its_own(frankfurt: Site, oslo: Site, rest: AirflowRest) -> None:
    assert rest.run("fjord", timeout=180).state == "success", oslo.cluster.about("oslo")


def test_helm_test_says_what_the_doctor_says(frankfurt: Site) -> None:
    said = frankfurt.cluster.helm("test", "frankfurt", "-n", "frankfurt", "--timeout", "300s", check=False)
    log = frankfurt.cluster.kubectl("-n", "frankfurt", "logs", "job/frankfurt-tradewind-agent-doctor")
    assert "Phase:          Succeeded" in said, (said, log)
    assert "plane" in log
