"""Options and environment variables in layers: what counts, what is refused, and what is never shown."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from sqlalchemy import select, text

from support.platform_parts import Reconciled
from tradewind_platform.domain.configuration import Entry, Layer, effective, why_not_option, why_not_variable
from tradewind_platform.domain.roles import Role
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.store.life_tables import EnvironmentVariable

CANARY = "canary-7f3a-secret"


def test_the_innermost_layer_counts_unless_an_outer_one_has_locked_it() -> None:
    outer = Entry(Layer.CLUSTER, "a", "cluster")
    inner = Entry(Layer.DEPLOYMENT, "a", "deployment")
    assert effective([inner, outer])["a"] is inner
    locked = Entry(Layer.CLUSTER, "a", "cluster", locked=True)
    assert effective([inner, locked])["a"] is locked


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH",
        "LD_PRELOAD",
        "PATH",
        "BASH_ENV",
        "AIRFLOW_HOME",
        "TRADEWIND_PLATFORM_OWNER",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
        "AIRFLOW__CELERY__BROKER_URL_CMD",
        "AIRFLOW__SMTP__SMTP_PASSWORD_SECRET",
        "AIRFLOW__CORE__AUTH_MANAGER",
        "AIRFLOW__CORE__PLUGINS_FOLDER",
        "AIRFLOW__SECRETS__BACKEND",
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS",
        "airflow__core__fernet_key",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "pythonstartup",
        "A B",
        "",
    ],
)
def test_a_variable_that_decides_about_code_or_belongs_to_the_platform_is_refused_with_a_reason(
    name: str,
) -> None:
    assert why_not_variable(Layer.DEPLOYMENT, name) != ""


@pytest.mark.parametrize(
    "name",
    ["REGION", "OAUTH_CLIENT_SECRET", "AIRFLOW__CORE__PARALLELISM", "AIRFLOW_VAR_REGION", "https_proxy"],
)
def test_other_variables_may_be_set(name: str) -> None:
    assert why_not_variable(Layer.DEPLOYMENT, name) == ""


def test_only_the_clusters_layer_names_code_and_none_sets_what_the_platform_owns() -> None:
    assert why_not_option(Layer.WORKSPACE, "core", "xcom_backend") != ""
    assert why_not_option(Layer.CLUSTER, "core", "xcom_backend") == ""
    for layer in Layer:
        assert why_not_option(layer, "core", "auth_manager") != ""
        assert why_not_option(layer, "database", "sql_alchemy_conn_cmd") != ""


def test_no_option_of_airflow_that_names_something_to_import_is_open_to_a_deployment() -> None:
    """`[logging] interleave_timestamp_parser = os.system` would run each line of a log on the platform's machine."""
    described = yaml.safe_load((files("airflow") / "config_templates" / "config.yml").read_text())
    named = [
        (section, option)
        for section, one in described.items()
        for option, each in one["options"].items()
        for value in (each.get("default"), each.get("example"))
        if re.fullmatch(r"[a-z_]+(\.[A-Za-z_]+)+", str(value)) and not str(value).endswith(".keytab")
    ]
    assert len(named) >= 20
    assert [one for one in named if not why_not_option(Layer.DEPLOYMENT, *one)] == []


def test_every_option_that_the_platform_gives_a_deployment_is_its_own(tmp_path: Path) -> None:
    document = Document(
        id=UUID(int=1),
        slug="d1",
        number=1,
        name="sales",
        revision=1,
        spec={"policy": "strict"},
        agent_url="http://agents.example.com/d1",
        people_url="http://d1.example.com",
        secrets={"fernet": "", "api": "", "jwt": ""},
    )
    planes = Planes(LocalSettings(home=tmp_path, plane_python=Path(sys.executable)))
    given = planes.plane(document).settings.options
    assert {"core", "api", "api_auth", "tradewind"} <= set(given)
    for section, values in given.items():
        for option in values:
            assert why_not_option(Layer.CLUSTER, section, option) != "", f"[{section}] {option}"


@pytest.fixture
def sales(reconciled: Reconciled) -> Reconciled:
    reconciled.created()
    return reconciled


def put(sales: Reconciled, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = sales.owner.put(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(sales: Reconciled, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sales.owner.get(f"/v1/{path}").json()["items"]
    return found


def test_a_deployment_is_given_what_counts_and_shows_where_it_is_from(sales: Reconciled) -> None:
    for scope, value in (("clusters/local", "8"), ("workspaces/default", "16")):
        put(sales, f"{scope}/configuration/core.parallelism", value=value)
    put(sales, "clusters/local/variables/REGION", value="eu", locked=True)
    put(sales, "deployments/sales/variables/TEAM", value="one")
    [option] = listed(sales, "deployments/sales/configuration")
    assert (option["value"], option["origin"]) == ("16", "workspace")
    found = {
        one["name"]: (one["value"], one["origin"]) for one in listed(sales, "deployments/sales/variables")
    }
    assert found == {"REGION": ("eu", "cluster"), "TEAM": ("one", "deployment")}
    refused = put(sales, "deployments/sales/variables/REGION", 403, value="us")
    assert refused["error"] == "policy_refused" and "locked by the layer of the cluster" in refused["message"]


def test_what_is_set_is_applied_by_an_operation_and_says_so(sales: Reconciled) -> None:
    sales.time.pass_(seconds=1)
    assert put(sales, "deployments/sales/variables/TEAM", value=CANARY)["applied"] is False
    put(sales, "deployments/sales/configuration/core.parallelism", value="4")
    sales.time.pass_(seconds=1)
    assert sales.owner.post("/v1/deployments/sales/apply").status_code == 202
    sales.reconciler.carry_out_all()
    assert [one["applied"] for one in listed(sales, "deployments/sales/variables")] == [True]
    given = sales.driver.given[sales.deployment()["slug"]]
    assert given.environment == {"TEAM": CANARY} and given.configuration == {"core": {"parallelism": "4"}}
    assert CANARY not in repr(given)


def test_scenario_21_setting_one_variable_keeps_the_others(sales: Reconciled) -> None:
    ask = {"variables": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    assert sales.owner.patch("/v1/deployments/sales/variables", json=ask).status_code == 204
    ask = {"variables": [{"name": "B", "value": "3"}]}
    assert sales.owner.patch("/v1/deployments/sales/variables", json=ask).status_code == 204
    found = {one["name"]: one["value"] for one in listed(sales, "deployments/sales/variables")}
    assert found == {"A": "1", "B": "3"}
    both = {"variables": [{"name": "C", "value": "1"}, {"name": "PATH", "value": "2"}]}
    refused = sales.owner.patch("/v1/deployments/sales/variables", json=both)
    assert refused.status_code == 403 and "PATH" in refused.json()["message"]
    assert {one["name"] for one in listed(sales, "deployments/sales/variables")} == {"A", "B"}
    assert sales.owner.delete("/v1/deployments/sales/variables/A").status_code == 204
    assert sales.owner.delete("/v1/deployments/sales/variables/A").status_code == 404


def test_scenario_18_the_value_of_a_secret_is_in_no_answer_no_event_and_no_row_in_clear(
    sales: Reconciled,
) -> None:
    made = sales.owner.put("/v1/deployments/sales/variables/KEY", json={"value": CANARY, "is_secret": True})
    put(sales, "deployments/sales/variables/PLAIN", value=CANARY)
    answers = [made.text, sales.owner.get("/v1/audit").text, sales.owner.get("/v1/operations").text]
    assert not [one for one in answers if CANARY in one]
    [secret] = [one for one in listed(sales, "deployments/sales/variables") if one["name"] == "KEY"]
    assert (secret["value"], secret["is_secret"]) == ("", True)
    with sales.platform.store.reading(sales.organization) as db:
        rows = [one.value for one in db.scalars(select(EnvironmentVariable))]
    assert len(rows) == 2 and not [one for one in rows if CANARY in one]
    with sales.platform.store.engine.connect() as connection:
        tables = connection.execute(text("SELECT * FROM environment_variable")).all()
        events = connection.execute(text("SELECT changes FROM audit_event")).all()
    assert CANARY not in str(tables) + str(events)


def test_who_reads_settings_and_no_values_sees_which_ones_there_are(sales: Reconciled) -> None:
    put(sales, "deployments/sales/variables/TEAM", value="one")
    auditor = sales.with_role(Role.ORGANIZATION_AUDITOR)
    [found] = auditor.get("/v1/deployments/sales/variables").json()["items"]
    assert (found["name"], found["value"]) == ("TEAM", "")
    author = sales.with_role(Role.DEPLOYMENT_AUTHOR, deployment="sales")
    assert author.get("/v1/deployments/sales/variables").json()["items"][0]["value"] == "one"
    body = {"value": "two"}
    assert author.put("/v1/deployments/sales/variables/TEAM", json=body).status_code == 403
    operator = sales.with_role(Role.WORKSPACE_OPERATOR, workspace="default")
    assert operator.put("/v1/workspaces/default/variables/TEAM", json=body).status_code == 200
    assert operator.put("/v1/clusters/local/variables/TEAM", json=body).status_code == 403


def test_what_a_purged_deployment_had_set_is_gone(sales: Reconciled) -> None:
    put(sales, "deployments/sales/variables/TEAM", value="one")
    sales.owner.delete("/v1/deployments/sales")
    sales.reconciler.carry_out_all()
    sales.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    sales.reconciler.carry_out_all()
    with sales.platform.store.reading(sales.organization) as db:
        assert list(db.scalars(select(EnvironmentVariable))) == []
