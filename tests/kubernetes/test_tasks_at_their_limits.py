"""Tasks that use up memory, and tasks that start pods of their own."""

from __future__ import annotations

from support.airflow_rest import AirflowRest
from support.cluster_site import Site


def test_a_task_that_eats_all_memory_fails_alone_and_memory_is_named(
    frankfurt: Site, rest: AirflowRest
) -> None:
    """The kernel kills one process, as with the kubelet's `singleProcessOOMKill`; the pod and the other task go on."""
    (pod,) = frankfurt.pods()
    run = rest.trigger("hungry")
    done = rest.wait_for_run("hungry", run, timeout=180)
    assert (done.state_of("eats"), done.state_of("beside")) == ("failed", "success"), done
    attempts = rest.http.get("/tradewind/v1/attempts", params={"run_id": run}).json()["items"]
    (reason,) = [each["reason"] for each in attempts if each["task_id"] == "eats"]
    assert reason == "the task's process was killed by SIGKILL: the container's memory limit was reached"
    (after,) = frankfurt.pods()
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def test_tasks_start_pods_of_their_own_also_deferrable_and_a_function_in_a_pod_returns_its_value(
    frankfurt: Site, rest: AirflowRest
) -> None:
    done = rest.run("pods", timeout=400)
    assert done.state == "success", (done, frankfurt.cluster.about("frankfurt"))
