"""The Kubernetes driver's rules: what a killed Helm needs, what a namespace has, and what the gateway is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tradewind_platform.kubernetes import manifests, settings
from tradewind_platform.kubernetes.gateway import routes_of, written
from tradewind_platform.kubernetes.recovery import Act, Recovery, Revision, recovery
from tradewind_platform.kubernetes.settings import Image, KubernetesSettings
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document, StepFailed

SETTINGS = KubernetesSettings.model_validate(
    {
        "image": {"repository": "registry.example.com/plane", "tag": "7"},
        "own_namespace": "tradewind",
        "platform_url": "https://platform.example.com",
        "database_url_file": "/etc/tradewind/database/url",
        "quota": {"pods": "20"},
        "values": {
            "apiServer": {"replicas": 1},
            "settings": {"poll_seconds": 30, "policy": "open"},
            "publicUrl": "https://other.example.com",
        },
    }
)
DOCUMENT = Document(
    id=UUID(int=7),
    slug="d2345abc",
    number=3,
    name="sales",
    revision=2,
    spec={"policy": "strict"},
    agent_url="https://c2345abc.external.example.com/d2345abc",
    people_url="https://d2345abc.c2345abc.apps.example.com",
    secrets={
        name: f"canary-{name}"
        for name in ("fernet", "jwt", "api", "database_password", "platform_credential")
    },
)


@pytest.mark.parametrize(
    ("statuses", "decided"),
    [
        pytest.param([], Recovery(Act.NOTHING), id="no release"),
        pytest.param(["deployed"], Recovery(Act.NOTHING), id="deployed"),
        pytest.param(["deployed", "failed"], Recovery(Act.NOTHING), id="failed"),
        pytest.param(["uninstalled"], Recovery(Act.NOTHING), id="uninstalled"),
        pytest.param(["pending-install"], Recovery(Act.UNINSTALL), id="killed in the first install"),
        pytest.param(["failed", "pending-upgrade"], Recovery(Act.UNINSTALL), id="nothing was ever deployed"),
        pytest.param(["uninstalling"], Recovery(Act.UNINSTALL), id="killed while it uninstalled"),
        pytest.param(["deployed", "pending-upgrade"], Recovery(Act.ROLL_BACK, 1), id="killed in an upgrade"),
        pytest.param(
            ["superseded", "deployed", "failed", "pending-upgrade"],
            Recovery(Act.ROLL_BACK, 2),
            id="killed in an upgrade after one that failed",
        ),
        pytest.param(
            ["superseded", "superseded", "pending-upgrade"],
            Recovery(Act.ROLL_BACK, 2),
            id="killed between two writes of an upgrade",
        ),
        pytest.param(
            ["deployed", "pending-upgrade", "pending-rollback"],
            Recovery(Act.FORGET, 3),
            id="killed in the roll back",
        ),
    ],
)
def test_a_release_that_a_killed_helm_left_is_recovered(statuses: list[str], decided: Recovery) -> None:
    history = [Revision(number, status) for number, status in enumerate(statuses, 1)]
    assert recovery(history) == recovery(reversed(history)) == decided


@pytest.mark.parametrize("act", [Act.ROLL_BACK, Act.FORGET, Act.UNINSTALL], ids=lambda one: one.name)
def test_what_a_recovery_leaves_needs_at_most_one_more(act: Act) -> None:
    histories = {
        Act.ROLL_BACK: [Revision(1, "superseded"), Revision(2, "pending-upgrade"), Revision(3, "deployed")],
        Act.FORGET: [Revision(1, "deployed"), Revision(2, "pending-upgrade")],
        Act.UNINSTALL: [],
    }
    after = recovery(histories[act])
    assert after.act in (Act.NOTHING, Act.ROLL_BACK)


def test_everything_is_denied_but_what_a_deployment_needs() -> None:
    made = {one["metadata"]["name"]: one for one in manifests.beside(DOCUMENT, SETTINGS, "postgresql://x")}
    assert made["tradewind-denied"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed = made["tradewind-allowed"]["spec"]
    assert allowed["ingress"] == [
        {
            "ports": [{"port": 8080, "protocol": "TCP"}],
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tradewind"}}}],
        }
    ]
    assert sorted({port["port"] for rule in allowed["egress"] for port in rule["ports"]}) == [53, 5432]


def test_a_namespace_enforces_the_profile_restricted_and_its_account_has_no_token() -> None:
    made = manifests.namespace(DOCUMENT, "tradewind-d2345abc")
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    beside = manifests.beside(DOCUMENT, SETTINGS, "postgresql://x")
    (account,) = [one for one in beside if one["kind"] == "ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    (quota,) = [one for one in beside if one["kind"] == "ResourceQuota"]
    assert quota["spec"] == {"hard": {"pods": "20"}}


def test_secrets_are_in_secrets_and_in_no_value() -> None:
    found = values(DOCUMENT, SETTINGS)
    others = [
        one for one in manifests.beside(DOCUMENT, SETTINGS, "postgresql://x") if one["kind"] != "Secret"
    ]
    text = json.dumps([found, others, manifests.routes(DOCUMENT, SETTINGS)])
    assert not [one for one in DOCUMENT.secrets.values() if one in text]
    secrets = json.dumps(
        [one for one in manifests.beside(DOCUMENT, SETTINGS, "postgresql://x") if one["kind"] == "Secret"]
    )
    assert all(DOCUMENT.secrets[one] in secrets for one in ("fernet", "jwt", "api", "platform_credential"))


def test_what_the_platform_decides_wins_over_the_clusters_values() -> None:
    found = values(DOCUMENT, SETTINGS)
    assert found["publicUrl"] == DOCUMENT.people_url
    assert found["apiServer"] == {"replicas": 1}
    assert found["settings"]["poll_seconds"] == 30 and found["settings"]["policy"] == "strict"
    assert found["migration"] == {"enabled": False}


def test_variables_that_people_set_are_a_secret_and_a_change_replaces_the_pods() -> None:
    changed = replace(
        DOCUMENT,
        configuration={"core": {"parallelism": "8"}, "tradewind": {"policy": "open"}},
        environment={"REGION": "canary-region"},
    )
    secrets = {one["metadata"]["name"]: one for one in manifests.beside(changed, SETTINGS, "-")}
    assert secrets[manifests.ENVIRONMENT]["stringData"] == {
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__TRADEWIND__POLICY": "open",
        "REGION": "canary-region",
    }
    before, after = values(DOCUMENT, SETTINGS), values(changed, SETTINGS)
    assert before["pods"]["podAnnotations"] != after["pods"]["podAnnotations"]
    assert "canary-region" not in json.dumps(after) and after["settings"]["policy"] == "strict"


def test_a_version_without_an_image_is_refused_by_name() -> None:
    asked = replace(DOCUMENT, spec={**DOCUMENT.spec, "version": "3.9.9"})
    one_image = SETTINGS.model_copy(update={"version": "3.3.2"})
    with pytest.raises(StepFailed, match=r"no image with Airflow 3\.9\.9"):
        values(asked, one_image)
    two_images = one_image.model_copy(update={"versions": {"3.9.9": Image(repository="newer")}})
    assert values(asked, two_images)["image"]["repository"] == "newer"
    assert values(asked, SETTINGS)["image"]["repository"] == "registry.example.com/plane"


def test_people_of_a_deployment_sign_in_by_the_platform() -> None:
    found = values(DOCUMENT, SETTINGS)
    assert found["auth"]["manager"].endswith("TradewindAuthManager")
    assert found["settings"]["platform_url"] == "https://platform.example.com"
    assert found["settings"]["deployment_id"] == str(DOCUMENT.id)
    assert found["pods"]["volumes"][-1]["secret"]["secretName"] == manifests.PLATFORM


def test_agents_have_a_path_and_people_a_name() -> None:
    agents, people = (one["spec"] for one in manifests.routes(DOCUMENT, SETTINGS))
    assert agents["hostnames"] == ["c2345abc.external.example.com"]
    assert agents["rules"][0]["matches"][0]["path"]["value"] == "/d2345abc/remote-execution"
    assert people["hostnames"] == ["d2345abc.c2345abc.apps.example.com"]
    closed = [rule for rule in people["rules"] if "backendRefs" not in rule]
    assert [one["path"]["value"] for one in closed[0]["matches"]] == ["/remote-execution", "/execution"]


def test_the_gateway_keeps_the_routes_that_it_has() -> None:
    routes = {"d2": "http://d2.tradewind-d2.svc:80", "d1": "http://d1.tradewind-d1.svc:80"}
    text = written('host = "c.example.com"\n', routes)
    assert routes_of(text) == routes and routes_of("") == {}
    assert text.index("d1") < text.index("d2")
    with pytest.raises(StepFailed, match="did not write"):
        routes_of(text + "d3 = by hand\n")


def test_settings_that_are_wrong_are_named_without_their_values(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    asked: dict[str, Any] = {"image": {"repository": "r"}, "own_namespace": "n", "quota": "canary"}
    file.write_text(json.dumps(asked))
    with pytest.raises(ValueError, match="quota") as refused:
        settings.read(file)
    assert "database_url_file" in str(refused.value) and "canary" not in str(refused.value)
