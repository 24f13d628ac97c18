"""Scenario 23, level 1: the driver, its chart's rights, and Helm, against a real Kubernetes API server."""

from __future__ import annotations

import base64
import gzip
import json
import signal
import subprocess
import time
from typing import Any

import pytest

from controller.conftest import HELM, OWN, Cluster, Lab, namespace_of, new_document, new_lab
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.gateway import routes_of
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document, StepFailed

MOMENTS = 20


def routes(cluster: Cluster) -> dict[str, str]:
    found = cluster.get(f"/api/v1/namespaces/{OWN}/configmaps/tradewind-controller-gateway")
    return {slug: one.upstream for slug, one in routes_of(found["data"]["gateway.toml"]).items()}


def test_scenario_23_a_deployment_is_created_deleted_restored_and_purged(lab: Lab) -> None:
    document = new_document()
    namespace = namespace_of(document)
    lab.done(Kind.CREATE, document)
    assert {one.type: one.status for one in lab.driver.observe(document)} == dict.fromkeys(
        ConditionType, Status.TRUE
    )
    assert routes(lab.cluster)[document.slug] == f"http://{document.slug}.{namespace}.svc.cluster.local:80"
    assert lab.databases.made == {document.slug}
    workloads = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    made = {one["metadata"]["name"] for one in lab.cluster.get(workloads)["items"]}
    assert made == {f"{document.slug}-api-server", f"{document.slug}-scheduler"}

    lab.done(Kind.DELETE, document)
    assert lab.cluster.get(workloads)["items"] == [] and document.slug not in routes(lab.cluster)
    kept = lab.cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{manifests.KEYS}")
    assert kept["metadata"]["labels"][manifests.LABEL] == document.slug
    assert lab.databases.made == {document.slug}, "its data is kept"

    lab.done(Kind.RESTORE, document)
    assert len(lab.cluster.get(workloads)["items"]) == 2

    lab.done(Kind.DELETE, document)
    lab.done(Kind.PURGE, document)
    assert lab.databases.made == set()
    assert lab.cluster.get(f"/api/v1/namespaces/{namespace}")["status"]["phase"] == "Terminating"


def test_scenario_23_each_step_may_be_done_twice(lab: Lab) -> None:
    document = new_document()
    for kind in (Kind.CREATE, Kind.DELETE):
        for step in lab.driver.steps(kind):
            lab.apply(step, document)
            lab.apply(step, document)


def test_scenario_23_pods_pass_the_profile_restricted(lab: Lab) -> None:
    document = new_document()
    lab.done(Kind.CREATE, document)
    namespace = namespace_of(document)
    labels = lab.cluster.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    owners = [
        *lab.cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"],
        *lab.cluster.get(f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"],
    ]
    assert len(owners) == 3
    for one in owners:
        pod = {"metadata": {"name": "trial"}, "spec": one["spec"]["template"]["spec"]}
        answer = lab.cluster.server.admin.post(
            f"/api/v1/namespaces/{namespace}/pods", json=pod, params={"dryRun": "All"}
        )
        assert answer.status_code == 201, answer.text
    root = {"name": "c", "image": "x", "securityContext": {"runAsUser": 0}}
    refused = lab.cluster.server.admin.post(
        f"/api/v1/namespaces/{namespace}/pods",
        json={
            "metadata": {"name": "root"},
            "spec": {"containers": [root], "serviceAccountName": manifests.ACCOUNT},
        },
        params={"dryRun": "All"},
    )
    assert refused.status_code == 403 and "restricted" in refused.text


def test_scenario_18_no_secret_is_in_the_release_or_in_what_is_no_secret(lab: Lab) -> None:
    document = new_document()
    lab.done(Kind.CREATE, document)
    namespace = namespace_of(document)
    shown = lab.cluster.helm("get", "all", document.slug, "--namespace", namespace)
    others = [
        json.dumps(lab.cluster.get(f"{path}/namespaces/{namespace}/{plural}"))
        for path, plural in (
            ("/api/v1", "configmaps"),
            ("/apis/apps/v1", "deployments"),
            ("/apis/batch/v1", "jobs"),
        )
    ]
    for secret in document.secrets.values():
        assert secret not in shown and not [one for one in others if secret in one]


def test_scenario_23_the_controller_gives_itself_rights_in_namespaces_of_deployments_only(
    cluster: Cluster,
) -> None:
    document, settings = new_document(), cluster.settings()
    binding = manifests.role_binding(document, settings)
    for namespace in ("kube-system", "default", OWN):
        with pytest.raises(StepFailed, match="begins with tradewind-"):
            cluster.api().create(binding, namespace)
    with pytest.raises(StepFailed, match="begins with tradewind-"):
        cluster.api().create(manifests.namespace(document, "other"))
    wider = {**binding, "roleRef": {**binding["roleRef"], "name": "cluster-admin"}}
    lab = new_lab(cluster)
    lab.apply("namespace", document)
    with pytest.raises(StepFailed, match="forbidden"):
        cluster.api().create({**wider, "metadata": {"name": "wider"}}, namespace_of(document))
    with pytest.raises(StepFailed, match="forbidden"):
        cluster.api().listed("Secret", "kube-system", "")


def test_scenario_23_a_namespace_that_is_not_ours_is_left_alone(cluster: Cluster) -> None:
    document, lab = new_document(), new_lab(cluster)
    cluster.server.make("/api/v1/namespaces", {"metadata": {"name": namespace_of(document)}})
    with pytest.raises(StepFailed, match="not of this Deployment"):
        lab.driver.apply("namespace", document)


def test_trap_17_a_hand_run_helm_upgrade_is_shown_and_replaced_by_the_next_operation(lab: Lab) -> None:
    document = new_document()
    lab.done(Kind.CREATE, document)
    namespace = namespace_of(document)
    by_hand = {**values(document, lab.settings), "apiServer": {"replicas": 5}}
    chart = str(lab.settings.chart)
    lab.cluster.helm(
        "upgrade", document.slug, chart, "--namespace", namespace, "--values", "-", values=by_hand
    )
    drifted = {one.type: one for one in lab.driver.observe(document)}[ConditionType.CONFIG_APPLIED]
    assert (drifted.status, drifted.reason) == (Status.FALSE, "Drifted")
    server = f"/apis/apps/v1/namespaces/{namespace}/deployments/{document.slug}-api-server"
    assert lab.cluster.get(server)["spec"]["replicas"] == 5, "it is not fought"
    lab.done(Kind.UPDATE, document)
    assert lab.cluster.get(server)["spec"]["replicas"] == 2
    assert all(one.status is Status.TRUE for one in lab.driver.observe(document))


def test_scenario_28_a_release_is_upgraded_by_helm_when_the_platform_is_gone(lab: Lab) -> None:
    document = new_document()
    lab.done(Kind.CREATE, document)
    namespace = namespace_of(document)
    lab.cluster.helm(
        *("upgrade", document.slug, str(lab.settings.chart), "--namespace", namespace),
        *("--reuse-values", "--set-string", "image.tag=8"),
    )
    server = lab.cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{document.slug}-api-server")
    assert server["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":8")


def test_scenario_23_helm_killed_at_20_moments_recovers(lab: Lab) -> None:
    """Ten moments of the whole run, and ten after the new revision is written, where it has not been marked as deployed."""
    document = new_document()
    lab.done(Kind.CREATE, document)
    namespace = namespace_of(document)
    server = f"/apis/apps/v1/namespaces/{namespace}/deployments/{document.slug}-api-server"
    began = time.monotonic()
    with upgrading(lab, document, replicas=2) as process:
        wait_pending(lab, document, process)
        pending_after = time.monotonic() - began
        process.wait()
    whole = time.monotonic() - began
    left = []
    for moment in range(MOMENTS):
        with upgrading(lab, document, replicas=moment + 3) as process:
            if moment < MOMENTS // 2:
                killed_after(process, whole * (moment + 1) / (MOMENTS // 2 + 1))
            else:
                wait_pending(lab, document, process)
                step = (whole - pending_after) / MOMENTS
                killed_after(process, step * (moment - MOMENTS // 2))
        left.append(history(lab, document)[-1]["status"])
        lab.driver.apply("start", document)
        assert history(lab, document)[-1]["status"] == "deployed"
        assert lab.cluster.get(server)["spec"]["replicas"] == 2
    print(
        f"\nHelm took {whole:.2f} s, {whole - pending_after:.2f} s of it pending; a killed one left: {left}"
    )
    assert "pending-upgrade" in left, left


def upgrading(lab: Lab, document: Document, *, replicas: int) -> subprocess.Popen[str]:
    """A Helm that upgrades, as the driver starts it."""
    config = lab.cluster.kubeconfig("controller")
    asked = lab.cluster.folder / "asked.json"
    asked.write_text(json.dumps({**values(document, lab.settings), "apiServer": {"replicas": replicas}}))
    return subprocess.Popen(
        [
            *(HELM, "upgrade", document.slug, lab.settings.chart, "--install"),
            *("--namespace", namespace_of(document), "--values", asked),
        ],
        env={"KUBECONFIG": str(config), "HOME": str(config.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_pending(lab: Lab, document: Document, process: subprocess.Popen[str]) -> None:
    """Until the new revision is there, or Helm has ended."""
    path = f"/api/v1/namespaces/{namespace_of(document)}/secrets"
    params = {"labelSelector": f"owner=helm,name={document.slug},status=pending-upgrade"}
    while process.poll() is None:
        if lab.cluster.server.admin.get(path, params=params).json()["items"]:
            return


def killed_after(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)


def test_scenario_23_helm_killed_during_the_first_install_recovers(cluster: Cluster) -> None:
    for pending in ("pending-install", "uninstalling"):
        document, lab = new_document(), new_lab(cluster)
        for step in ("namespace", "database", "configure", "migrate", "start"):
            lab.apply(step, document)
        release = f"/api/v1/namespaces/{namespace_of(document)}/secrets/sh.helm.release.v1.{document.slug}.v1"
        rewritten(cluster, release, pending)
        lab.driver.apply("start", document)
        assert history(lab, document)[-1]["status"] == "deployed"


def rewritten(cluster: Cluster, path: str, status: str) -> None:
    """A release as a Helm that was killed leaves it."""
    secret = cluster.get(path)
    kept = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    kept["info"]["status"] = status
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(kept).encode()))).decode()
    answer = cluster.server.admin.patch(
        path,
        content=json.dumps({"data": {"release": packed}, "metadata": {"labels": {"status": status}}}),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text


def history(lab: Lab, document: Document) -> list[Any]:
    said = lab.cluster.helm(
        "history", document.slug, "--namespace", namespace_of(document), "--output", "json"
    )
    return list(json.loads(said))


def test_a_pool_of_namespaces_gives_each_deployment_one_and_takes_it_back(cluster: Cluster) -> None:
    pool = ("pool-1", "pool-2")
    for name in pool:
        cluster.server.make("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.server.make(
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings",
            manifests.role_binding(new_document(), cluster.settings()),
        )
    lab = new_lab(cluster, namespaces=pool)
    first, second, third = new_document(), new_document(), new_document()
    for document in (first, second):
        lab.apply("namespace", document)
        lab.apply("configure", document)
    with pytest.raises(StepFailed, match="all 2 namespaces"):
        lab.driver.apply("namespace", third)
    lab.driver.apply("erase", first)
    left = cluster.get("/api/v1/namespaces/pool-1/secrets")["items"]
    assert [one["metadata"]["name"] for one in left] == []
    lab.driver.apply("namespace", third)
    assert (
        cluster.get("/api/v1/namespaces/pool-1/configmaps/tradewind-deployment")["data"]["slug"] == third.slug
    )
