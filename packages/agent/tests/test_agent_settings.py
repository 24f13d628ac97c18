"""Where settings come from, and what is refused with which words."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tradewind_agent.environments import configuration, variables
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.gateway import policy
from tradewind_agent.settings import Settings, load, state_dir_of
from tradewind_agent.settings.passed_variables import PASSED
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import ids
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

TOKEN = ids.new_secret(ids.AGENT_TOKEN_PREFIX)


def loaded(**flags: Any) -> Settings:
    return load({"plane_url": "https://plane.test/one/", "token_file": Path("token"), **flags})


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = tmp_path / "agent.toml"
    config.write_text(
        'plane_url = "https://file.test"\ntoken_file = "f"\nname = "of-file"\nslots = 1\ngrace = 1\n'
        '[[environments]]\nname = "one"\nqueues = ["a", "b"]\nenv = {X = "1"}\n'
    )
    monkeypatch.setenv("TRADEWIND_AGENT_NAME", "of-variable")
    monkeypatch.setenv("TRADEWIND_AGENT_SLOTS", "2")
    found = load({"name": "of-flag", "slots": None}, config=config)
    assert (found.name, found.slots, found.grace) == ("of-flag", 2, 1)
    assert found.task_environments[0].queues == ("a", "b")


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRADEWIND_AGENT_COMPONENTS", "worker, triggerer")
    found = loaded(queues="a,b")
    assert found.components == (Component.WORKER, Component.TRIGGERER)
    assert found.task_environments[0].queues == ("a", "b")


def test_the_planes_address_may_come_from_the_variable_the_operators_command_uses(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TRADEWIND_PLANE_URL", "https://plane.test/one/")
    assert load({"token_file": "t"}).plane_url == "https://plane.test/one"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"plane_url": "ftp://plane.test"}, "plane_url: must be an address such as https://"),
        ({"plane_url": "plane.test"}, "plane_url: must be an address"),
        ({"plane_url": "https://user:word@plane.test"}, "must not hold credentials"),
        ({"bundles": [{"name": "a\nb", "classpath": "x.Y"}]}, "the name of bundle 1 is 'a\\nb'"),
        ({"bundles": [{"classpath": "x.Y"}]}, "the name of bundle 1 is None"),
        ({"bundles": [{"name": "a b", "classpath": "x.Y"}] * 2}, "two bundles are named 'a b'"),
        ({"bundles": [{"name": "a b"}]}, "bundle 'a b' has no classpath"),
        ({"token_file": None}, "exactly one of token_file and TRADEWIND_AGENT_TOKEN"),
        ({"plane_url": None}, "plane_url is not set"),
        ({"slotss": 3}, "there is no setting named slotss"),
        ({"name": "a b"}, "name:"),
        ({"components": "worker,scheduler"}, "components.1:"),
        ({"environments": [{"name": "a"}, {"name": "a"}]}, "two environments have the same name"),
        (
            {"dag_processor_environment": "b"},
            "dag_processor_environment = 'b' is none of the environments: default",
        ),
        ({"client_key": "k"}, "client_key without client_cert"),
        (
            {
                "environments": [
                    {"name": "a", "env": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:word@h"}}
                ]
            },
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN is a secret of the orchestration plane",
        ),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name_and_without_its_value(
    flags: dict[str, Any], words: str
):
    with pytest.raises(SettingsWrong) as caught:
        loaded(**flags)
    assert words in str(caught.value)
    assert "word@" not in str(caught.value)


def test_plain_http_to_another_machine_is_warned_about():
    assert any("plain http" in each for each in loaded(plane_url="http://plane.test").warnings())
    for own in ("http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://plane.test"):
        assert loaded(plane_url=own).warnings() == []


def test_a_token_file_everybody_can_read_is_warned_about(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    assert any("chmod 600" in each for each in loaded(token_file=file).warnings())
    file.chmod(0o600)
    assert loaded(token_file=file).warnings() == []


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch):
    found = loaded(
        token_file=None,
        token=TOKEN,
        proxy="http://u:word@proxy",
        environments=[{"name": "a", "env": {"K": "value-x"}}],
    )
    assert TOKEN not in repr(found) and "word@" not in repr(found) and "value-x" not in repr(found)


def test_the_boundary_can_be_opened_kind_by_kind():
    found = loaded(xcom="open")
    assert (found.policy, found.xcom, found.connections) == (Policy.STRICT, Policy.OPEN, None)


def test_a_host_gets_what_programs_need_and_none_of_our_names_or_the_planes_secrets():
    inherited = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "AIRFLOW__CORE__FERNET_KEY": "k",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat",
        "AIRFLOW__SECRETS__BACKEND": "vault",
        "AIRFLOW_CONN_X": "y",
        "TRADEWIND_AGENT_TOKEN": TOKEN,
        "SSH_AUTH_SOCK": "/tmp/s",
        "MY_PASSWORD": "p",
    }
    made = variables.for_process(
        inherited,
        passed=PASSED,
        own={"X": "1", "PATH": "/opt"},
        defaults={"AIRFLOW_HOME": "/a"},
        interpreter=Path("/site/bin/python"),
    )
    assert made == {
        "AIRFLOW_HOME": "/a",
        "PATH": "/site/bin:/opt",
        "LC_ALL": "C",
        "AIRFLOW__SECRETS__BACKEND": "vault",
        "AIRFLOW_CONN_X": "y",
        "X": "1",
    }


def test_not_even_a_wide_pattern_lets_the_agents_own_names_through():
    inherited = {"TRADEWIND_AGENT_TOKEN": TOKEN, "B": "1", "PATH": "/site/bin"}
    made = variables.for_process(
        inherited, passed=("*",), own={}, defaults={}, interpreter=Path("/site/bin/python")
    )
    assert made == {"B": "1", "PATH": "/site/bin"}


def test_the_settings_page_is_current():
    root = Path(__file__).parents[3]
    spec = importlib.util.spec_from_file_location(
        "settings_page", Path(__file__).parents[1] / "scripts" / "settings_page.py"
    )
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (root / "docs/reference/agent-settings.md").read_text() == script.page(), (
        "run: python packages/agent/scripts/settings_page.py"
    )


def test_a_triggerer_serves_the_queues_it_is_given() -> None:
    found = loaded(trigger_queues="gpu,etl")
    assert found.trigger_queues == ("gpu", "etl")
    configured = configuration.of_component(
        Component.TRIGGERER,
        found.task_environments[0],
        settings=found,
        session=None,
        rules=policy.of(found),
        site_key=SiteKey(bytes(32)),
        gateway=Path("gateway"),
        secret="",
        logs=Path("logs"),
        waiting_logs=Path("waiting"),
    )
    assert configured.options["queues"] == ["gpu", "etl"]


def test_paths_may_begin_with_a_home_and_are_whole_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "agent.toml"
    config.write_text(
        'plane_url = "https://p.example.com"\ntoken_file = "~/agent-token"\nstate_dir = "state"\n'
        'site_key_file = "~/site.key"\n'
    )
    read = load({}, config=config)
    assert (read.token_file, read.state_dir) == (tmp_path / "agent-token", tmp_path / "state")
    assert read.site_key_file == tmp_path / "site.key"
    assert state_dir_of(config) == tmp_path / "state"


@pytest.mark.parametrize("name", ["x" * 300, "."])
def test_a_settings_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsWrong, match=r"cannot be read: .*") as wrong:
        load({}, config=tmp_path / name)
    assert "agent's user" in wrong.value.remedy
