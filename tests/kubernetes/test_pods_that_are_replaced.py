"""Pods that are replaced while their agents run tasks: in order, nothing is lost and nothing runs twice; a death is named."""

from __future__ import annotations

from support.cluster import NODE, wait
from support.cluster_load import Load
from support.cluster_site import Site


def test_an_upgrade_under_load_loses_and_repeats_nothing(frankfurt: Site) -> None:
    load = Load(frankfurt, count=6, seconds=20, running=4)
    frankfurt.upgrade({"image": {"tag": "2"}})
    assert set(frankfurt.images()) == {"localhost/tradewind-site:2"}
    load.all_ran_once()


def test_a_rollback_under_load_loses_and_repeats_nothing(frankfurt: Site) -> None:
    frankfurt.upgrade({"image": {"tag": "2"}, "podDefaults": {"podAnnotations": {"release": "next"}}})
    load = Load(frankfurt, count=6, seconds=20, running=4)
    frankfurt.cluster.helm("rollback", "frankfurt", "-n", "frankfurt", "--wait", "--timeout", "600s")
    frankfurt.values = frankfurt.installed_values()
    load.all_ran_once()
    assert "release" not in frankfurt.values["podDefaults"].get("podAnnotations", {})


def test_a_worker_that_is_scaled_in_ends_its_idle_pods_first(frankfurt: Site) -> None:
    frankfurt.upgrade({"workers": {"default": {"replicas": 1}}})
    frankfurt.wait_healthy(3)
    load = Load(frankfurt, count=2, seconds=60, running=2)
    (busy,) = frankfurt.pods()
    frankfurt.upgrade({"workers": {"default": {"replicas": 3}}})
    frankfurt.wait_healthy(5)
    wait(
        lambda: frankfurt.cost_of(busy) > 0,
        timeout=60,
        what=lambda: str(frankfurt.cluster.about("frankfurt")),
    )
    frankfurt.upgrade({"workers": {"default": {"replicas": 1}}})
    wait(lambda: len(frankfurt.pods()) == 1, timeout=60, what=lambda: frankfurt.cluster.about("frankfurt"))
    assert [each["metadata"]["uid"] for each in frankfurt.pods()] == [busy["metadata"]["uid"]]
    load.all_ran_once()


def test_a_node_that_is_drained_under_load_loses_and_repeats_nothing(frankfurt: Site) -> None:
    load = Load(frankfurt, count=6, seconds=15, running=4)
    try:
        frankfurt.cluster.kubectl(
            "drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s",
            "--pod-selector=app.kubernetes.io/instance=frankfurt",
        )  # fmt: skip
        assert len(load.ended) >= 4, "what ran has ended before its pod did"
    finally:
        frankfurt.cluster.kubectl("uncordon", NODE)
    load.all_ran_once()
    frankfurt.wait_healthy(3)


def test_a_pod_that_is_killed_costs_what_ran_in_it_and_the_cause_is_named(frankfurt: Site) -> None:
    load = Load(frankfurt, count=6, seconds=30, running=4)
    began = set(load.began)
    (pod,) = frankfurt.pods()
    frankfurt.cluster.kubectl(
        "-n", "frankfurt", "delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force"
    )
    done = load.done()
    assert set(load.began.values()) == {1}, "nothing ran twice"
    failed = {
        str(index) for (task, index), state in done.tasks.items() if task == "works" and state == "failed"
    }
    assert failed == began - set(load.ended), done
    assert "has sent no poll" in load.events() or "the agent was stopped" in load.events(), load.events()
    frankfurt.wait_healthy(3)


def test_a_rotated_token_is_taken_without_a_restart(frankfurt: Site) -> None:
    (pod,) = frankfurt.pods()
    fresh = frankfurt.token("rotated")
    frankfurt.cluster.make_secret("frankfurt", "site-token", token=fresh)

    def used() -> bool:
        listed = frankfurt.rest.http.get("/tradewind/v1/tokens", params={"limit": 500}).json()["items"]
        return any("rotated" in each["name"] and each["last_used_at"] for each in listed)

    wait(used, timeout=300, what=lambda: str(frankfurt.rest.http.get("/tradewind/v1/tokens").json()))
    (after,) = frankfurt.pods()
    assert (after["metadata"]["uid"], after["status"]["containerStatuses"][0]["restartCount"]) == (
        pod["metadata"]["uid"],
        0,
    )
