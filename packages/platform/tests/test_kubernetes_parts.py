"""The Kubernetes driver's rules: what a killed Helm needs, what a namespace has, and what the gateway is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tradewind.gateway.settings import Closed, GatewaySettings
from tradewind_platform.clock import utc_now
from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.preflight import Verdict
from tradewind_platform.kubernetes import manifests, settings
from tradewind_platform.kubernetes.backups import ClusterBackups
from tradewind_platform.kubernetes.driver import KubernetesDriver
from tradewind_platform.kubernetes.gateway import Gateway, Route, routes_of, written
from tradewind_platform.kubernetes.helm import Helm
from tradewind_platform.kubernetes.patience import Patience
from tradewind_platform.kubernetes.preflight import of_printed
from tradewind_platform.kubernetes.recovery import Act, Recovery, Revision, recovery
from tradewind_platform.kubernetes.settings import Image, KubernetesSettings, Size
from tradewind_platform.kubernetes.values import Running, values
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIGURATION = (
    'host = "c.example.com"\n\n[tls]\ncertificate = "c.pem"\nkey = "c.key"\n\n[public]\nlisten = ":8443"\n'
)

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


@dataclass
class FakeApi:
    """A cluster that has these objects, by kind."""

    objects: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def listed(self, kind: str, namespace: str, selector: str) -> list[Any]:
        return list(self.objects.get(kind, ()))


class FakeDatabases:
    """A PostgreSQL that nobody asks."""


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
    assert found["migration"] == {"enabled": False, "backoffLimit": 1}


def test_a_size_wins_over_the_clusters_values_and_what_the_platform_decides_over_a_size() -> None:
    sized = SETTINGS.model_copy(
        update={"sizes": {"large": Size(apiServer={"replicas": 4}, scheduler={"replicas": 2})}}
    )
    large = replace(DOCUMENT, spec={**DOCUMENT.spec, "size": "large"})
    found = values(large, sized)
    assert (found["apiServer"], found["scheduler"]) == ({"replicas": 4}, {"replicas": 2})
    assert values(large, sized, Running.NONE)["apiServer"]["replicas"] == 0
    assert values(DOCUMENT, sized) == values(DOCUMENT, SETTINGS), "without a size it has the usual values"
    with pytest.raises(StepFailed, match="no size 'large'; it has: none") as failed:
        values(large, SETTINGS)
    assert failed.value.final


@pytest.mark.parametrize(
    "wrong", [{"Large": {}}, {"large": {"image": {}}}, {"": {}}], ids=["name", "other values", "no name"]
)
def test_what_is_no_size_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sizes"):
        KubernetesSettings.model_validate({**SETTINGS.model_dump(), "sizes": wrong})


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


def test_an_image_that_was_deployed_is_taken_by_its_digest_with_the_clusters_own_pull_secrets() -> None:
    digest = "sha256:" + "a" * 64
    code = {"id": "1", "digest": "", "image": f"registry.example.com:5000/team/shop-plane@{digest}"}
    asked = replace(DOCUMENT, spec={**DOCUMENT.spec, "version": "3.9.9", "deploy": code})
    usual = Image(repository="plane", tag="1", pullSecrets=({"name": "registry"},))
    settings = SETTINGS.model_copy(update={"version": "3.3.2", "image": usual})
    image = values(asked, settings)["image"]
    assert (image["repository"], image["digest"], image["tag"]) == (
        "registry.example.com:5000/team/shop-plane",
        digest,
        "",
    )
    assert list(image["pullSecrets"]) == [{"name": "registry"}]


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
    routes = {
        "d2": Route("http://d2.tradewind-d2.svc:80"),
        "d1": Route("http://d1.tradewind-d1.svc:80", closed="upgrading"),
    }
    text = written(CONFIGURATION, routes)
    assert routes_of(text) == routes and routes_of("") == {}
    assert text.index("d1") < text.index("d2")
    read = GatewaySettings.model_validate(tomllib.loads(text))
    assert sorted(read.deployments) == ["d1", "d2"] and read.closed == {"d1": Closed.UPGRADING}
    open_again = {slug: replace(route, closed="") for slug, route in routes.items()}
    assert "closed" not in written(CONFIGURATION, open_again)
    with pytest.raises(StepFailed, match="did not write"):
        routes_of(text + "d3 = by hand\n")


def answering(text: str, status: int = 200) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(status, text=text)))


@pytest.mark.parametrize(
    ("status", "text", "still"),
    [
        pytest.param(503, '{"detail":{"reason":"deployment_upgrading"}}', False, id="says so"),
        pytest.param(503, '{"detail":{"reason":"deployment_hibernating"}}', True, id="says something else"),
        pytest.param(503, "the API server starts", True, id="an API server's own"),
        pytest.param(200, "", True, id="passes requests on"),
        pytest.param(404, "404 page not found", False, id="never served"),
    ],
)
def test_a_route_is_closed_once_every_gateway_says_why(status: int, text: str, still: bool) -> None:
    gateway = Gateway(FakeApi(), SETTINGS, answering(text, status), utc_now)  # type: ignore[arg-type]
    assert bool(gateway.passes(DOCUMENT, "upgrading")) is still


def test_each_pod_of_the_gateway_is_asked_whether_a_route_is_closed() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.url.port, request.headers["host"]))
        closed = request.url.host == "10.0.0.1"
        return httpx.Response(503 if closed else 200, text="deployment_upgrading" if closed else "")

    labels = SETTINGS.gateway.model_copy(update={"pod_labels": {"part": "gateway"}})
    pods = [
        {"status": {"podIP": address, "phase": phase}}
        for address, phase in (("10.0.0.1", "Running"), ("10.0.0.9", "Succeeded"), ("fd00::2", "Running"))
    ]
    gateway = Gateway(
        FakeApi({"Pod": pods}),  # type: ignore[arg-type]
        SETTINGS.model_copy(update={"gateway": labels}),
        httpx.Client(transport=httpx.MockTransport(answer)),
        utc_now,
    )
    assert "[fd00::2]:8443 (status 200)" in gateway.passes(DOCUMENT, "upgrading")
    assert asked == [(host, 8443, "c2345abc.external.example.com") for host in ("10.0.0.1", "fd00::2")]


def test_a_closed_route_of_gateway_api_leads_to_what_says_why_with_its_path_as_it_is() -> None:
    agents, people = manifests.routes(DOCUMENT, SETTINGS, closed=True)
    for route in (agents, people):
        backends = [one for rule in route["spec"]["rules"] for one in rule.get("backendRefs", ())]
        assert backends == [{"name": "tradewind-gateway", "namespace": "tradewind", "port": 80}]
    assert "filters" not in agents["spec"]["rules"][0], "that gateway knows a Deployment by its path"
    granted = manifests.grant(DOCUMENT, SETTINGS, "tradewind-d2345abc")["spec"]
    assert granted["from"][0]["namespace"] == "tradewind-d2345abc"
    assert granted["to"] == [{"group": "", "kind": "Service", "name": "tradewind-gateway"}]


@pytest.mark.parametrize("running", Running, ids=lambda one: one.value)
def test_pods_are_stopped_by_the_values_of_the_chart(running: Running) -> None:
    scaled = SETTINGS.model_copy(
        update={
            "values": {
                "apiServer": {"autoscaling": {"enabled": True, "max": 4}},
                "scheduler": {"replicas": 2},
            }
        }
    )
    found = values(DOCUMENT, scaled, running)
    api_server, scheduler = found["apiServer"], found["scheduler"]
    assert scheduler["replicas"] == (2 if running is Running.ALL else 0)
    assert api_server["autoscaling"]["enabled"] is (running is not Running.NONE)
    assert api_server.get("replicas") == (0 if running is Running.NONE else None)


def test_a_step_that_waits_too_long_fails_and_has_all_its_patience_again() -> None:
    moments = iter([0.0, 10.0, 10.1, 20.0])
    patience = Patience(10, now=lambda: next(moments))
    for _ in range(2):
        with pytest.raises(StepWaits, match="for a pod"):
            patience.wait(DOCUMENT, "stop", "for a pod")
    with pytest.raises(StepFailed, match="for a pod") as failed:
        patience.wait(DOCUMENT, "stop", "for a pod")
    assert failed.value.final
    with pytest.raises(StepWaits):
        patience.wait(DOCUMENT, "stop", "for a pod")


@pytest.fixture
def driver() -> KubernetesDriver:
    return KubernetesDriver(
        SETTINGS,
        FakeApi(),  # type: ignore[arg-type]
        Helm(SETTINGS),
        FakeDatabases(),  # type: ignore[arg-type]
        answering(""),
    )


@pytest.mark.parametrize(("former", "now"), [("install", "start"), ("install before", "start before")])
def test_an_operation_that_began_before_an_upgrade_goes_on_with_the_former_name_of_a_step(
    driver: KubernetesDriver, monkeypatch: pytest.MonkeyPatch, former: str, now: str
) -> None:
    done = {name: (lambda document, name=name: {"done": name}) for name in driver._apply}
    monkeypatch.setattr(driver, "_apply", done)
    assert driver.apply(former, DOCUMENT) == driver.apply(now, DOCUMENT) == {"done": now}


def test_a_hibernation_that_fails_before_it_stops_anything_starts_nothing(driver: KubernetesDriver) -> None:
    undone = {step: driver.undo(Kind.HIBERNATE, step) for step in driver.steps(Kind.HIBERNATE)}
    assert all(steps[-1] == "uncordon" for steps in undone.values())
    assert [step for step, steps in undone.items() if "start API server" in steps] == ["stop"]


def test_an_upgrade_is_undone_with_a_restore_after_its_backup_and_not_at_all_once_agents_are_in(
    driver: KubernetesDriver,
) -> None:
    steps = list(driver.steps(Kind.UPGRADE))
    order = [
        "preflight",
        "close for upgrade",
        "stop",
        "back up",
        "migrate",
        "probe inside",
        "route",
        "start",
    ]
    assert [one for one in steps if one in order] == order
    undone = {step: driver.undo(Kind.UPGRADE, step) for step in steps}
    route, backed_up = steps.index("route"), steps.index("back up")
    assert all("restore before" in undone[step] for step in steps[backed_up + 1 : route])
    assert not [step for step in steps[: backed_up + 1] if "restore before" in undone[step]]
    assert all(undone[step][-1] == "probe" for step in steps[2:route])
    assert [undone[step] for step in steps[route:]] == [()] * len(steps[route:])


def test_without_a_volume_a_backup_is_refused_with_the_chart_values_that_give_one(tmp_path: Path) -> None:
    none = ClusterBackups(None, FakeDatabases())  # type: ignore[arg-type]
    check = none.check(DOCUMENT)
    assert check.verdict is Verdict.REFUSED and "backups.existingClaim" in check.remedy
    for step in (none.make, none.restore, none.forget_old):
        with pytest.raises(StepFailed, match=r"backups\.persistentVolumeClaim\.enabled") as refused:
            step(DOCUMENT)
        assert refused.value.final
    none.forget(DOCUMENT)


def test_an_image_with_another_airflow_than_the_upgrade_asks_for_is_refused() -> None:
    heads = {
        "code": {"alembic_version": ["b"]},
        "database": {"alembic_version": "a"},
        "known": {},
        "plugins": [],
    }
    told = {
        "version": "3.3.2",
        "heads": {"code": 0, "printed": f"a warning\n{json.dumps(heads)}\n", "error": ""},
        "lint": {"code": 0, "printed": "Found:\n  - core.old is now core.new\n", "error": ""},
    }
    image = Image(repository="registry.example.com/plane", tag="7")
    [wrong] = of_printed(json.dumps(told), image, "3.3.9")
    assert (
        wrong.verdict is Verdict.REFUSED and "registry.example.com/plane:7 has Airflow 3.3.2" in wrong.message
    )
    checks = {one.check: one for one in of_printed(json.dumps(told), image, "3.3.2")}
    assert [one.verdict.value for one in checks.values()] == ["ok", "ok", "ok", "warning"]
    assert "alembic_version" in checks["database"].message and "core.new" in checks["configuration"].message
    broken = {**told, "heads": {"code": 1, "printed": "", "error": "OperationalError: no"}}
    assert "OperationalError" in rules.refused(of_printed(json.dumps(broken), image, "3.3.2"))


def test_settings_that_are_wrong_are_named_without_their_values(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    asked: dict[str, Any] = {"image": {"repository": "r"}, "own_namespace": "n", "quota": "canary"}
    file.write_text(json.dumps(asked))
    with pytest.raises(ValueError, match="quota") as refused:
        settings.read(file)
    assert "platform_url" in str(refused.value) and "canary" not in str(refused.value)
