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


def test_a_sentinel_that_has_watched_a_while_has_forty_megabytes_of_its_own_at_most(frankfurt: Site) -> None:
    """Beside the pages of programs and libraries, which the kernel shares and takes back."""
    (pod,) = frankfurt.pods("sentinel")
    listed = frankfurt.cluster.kubectl(
        "-n", "frankfurt", "exec", pod["metadata"]["name"], "--", "sh", "-c", "grep -h -E '^(Name|RssAnon)' /proc/[0-9]*/status"
    ).splitlines()  # fmt: skip
    resident = {
        name.split()[1]: int(size.split()[1]) / 1024
        for name, size in zip(listed[::2], listed[1::2], strict=True)
    }
    print(f"\n{resident}")
    assert 20 < resident["tradewind-agent"] <= 40, resident
