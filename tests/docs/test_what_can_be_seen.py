"""Metrics, alert rules, dashboard and log actions: the pages say what the code has, and nothing names what is not."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from tradewind_agent.monitoring.metrics import METRICS as AGENT
from tradewind_agent.sentinel.metrics import METRICS as SENTINEL
from tradewind_platform.controller.status import METRICS as CONTROLLER
from tradewind_platform.services.metrics import METRICS as PLATFORM
from tradewind_protocol.errors import FATAL_FOR_AGENT
from tradewind_protocol.operator import QueueView
from tradewind_protocol.states import AgentState, ProcessEnd
from tradewind_provider.services import metrics
from tradewind_provider.services.ended_attempts import EndedAttempts, EndedCounts
from tradewind_provider.services.metrics import METRICS as PLANE

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"


def _series() -> Iterator[tuple[str, set[str]]]:
    """Every series that can be asked for, with its labels."""
    for one in (*AGENT, *SENTINEL, *PLANE, *PLATFORM, *CONTROLLER):
        if one.kind == "histogram":
            yield f"{one.name}_bucket", {*one.labels, "le"}
            yield f"{one.name}_sum", set(one.labels)
            yield f"{one.name}_count", set(one.labels)
        else:
            yield one.name, set(one.labels)


LABELS = dict(_series())
NAMES = set(LABELS)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_page_of_metrics_is_current() -> None:
    made = script("metrics_page")
    assert made.PAGE.read_text() == made.page(), "run docs/scripts/metrics_page.py"


def test_the_page_of_log_actions_has_every_action_of_the_code_and_no_other() -> None:
    """The sentences beside them may change."""
    made = script("log_actions_page")
    listed = set(re.findall(r"^\| `(\w+)` \|", made.PAGE.read_text(), re.MULTILINE))
    in_the_code = {line.action for package in made._PARTS for line in made.found(package)}
    assert listed == in_the_code, "run docs/scripts/log_actions_page.py"
    assert len(listed) > 50


@pytest.mark.parametrize(
    "metric", [*AGENT, *SENTINEL, *PLANE, *PLATFORM, *CONTROLLER], ids=lambda one: one.name
)
def test_names_follow_prometheus_conventions(metric) -> None:
    assert re.fullmatch(r"tradewind_(agent|controller|plane|platform|sentinel)(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.name.endswith("_seconds")
    assert not metric.name.endswith(("_ms", "_minutes", "_mb"))
    assert set(metric.labels) <= {
        "version",
        "shortcut",
        "airflow",
        "state",
        "site",
        "queue",
        "environment",
        "accelerator",
        "component",
        "check",
        "agent",
        "sentinel",
        "token",
        "process",
        "task_state",
        "hop",
        "code",
        "workspace",
        "deployment",
        "cluster",
        "phase",
        "health",
        "condition",
        "kind",
        "outcome",
    }


@pytest.mark.parametrize("file", ["rules.yml", "dashboard.json", "platform-dashboard.json"])
def test_what_is_shown_and_alerted_on_exists(file: str) -> None:
    text = (OBSERVABILITY / file).read_text()
    used = set(re.findall(r"tradewind_(?:agent|controller|plane|platform|sentinel)_[a-z_]+", text))
    assert used and used <= NAMES, used - NAMES


def test_every_action_that_an_alert_names_is_on_the_page_of_log_actions() -> None:
    named = set(re.findall(r"action=(\w+)", (OBSERVABILITY / "rules.yml").read_text()))
    listed = set(re.findall(r"^\| `(\w+)` \|", script("log_actions_page").PAGE.read_text(), re.MULTILINE))
    assert named and named <= listed, named - listed


def test_every_refusal_that_ends_an_agent_is_alerted_on() -> None:
    (codes,) = re.findall(r'refusals_total\{code=~"([^"]+)"', (OBSERVABILITY / "rules.yml").read_text())
    missed = {code.value for code in FATAL_FOR_AGENT if not re.fullmatch(codes, code.value)}
    assert not missed


@pytest.mark.parametrize("file", ["dashboard.json", "platform-dashboard.json"])
def test_every_panel_asks_for_something(file: str) -> None:
    panels = json.loads((OBSERVABILITY / file).read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["targets"] and all(target["expr"] for target in panel["targets"])
        used = {
            label for target in panel["targets"] for label in re.findall(r"by \(([a-z, ]+)\)", target["expr"])
        }
        names = [name for target in panel["targets"] for name in re.findall(r"tradewind_\w+", target["expr"])]
        known = set().union(*(LABELS[name] for name in names))
        assert {each.strip() for group in used for each in group.split(",")} <= known


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's package prometheus)")
def test_promtool_takes_the_rules_and_they_fire_when_they_should() -> None:
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        told = subprocess.run(
            ["promtool", *command], cwd=OBSERVABILITY, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's package prometheus)")
def test_promtool_takes_what_the_plane_says() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    ended = EndedAttempts(most_queues=3, other=("(other)", "(other)"))
    ended.count([], now=now)
    ended.count(
        (
            EndedCounts(uuid4(), "default", f"queue {n}", ProcessEnd.EXITED, "failed", now, 0.25, float(n))
            for n in range(50)
        ),
        now=now,
    )
    name = ("default", 'with "quotes"')
    text = metrics.text(
        metrics.PlaneSnapshot(
            agents=Counter(list(AgentState)),
            lost={name: now},
            tokens={name: now},
            queues=(QueueView(queue="gpu", depth=1, oldest_wait=0.5, running=0),),
            ended=ended.totals,
            refusals={"token_unknown": 3},
            versions=("0.1.0", "3.3.2"),
        )
    )
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, ""), told.stderr
    assert text.count("tradewind_plane_attempt_run_seconds_count") == 3, "queues beyond the limit share one"
    assert 'run_seconds_count{site="(other)",queue="(other)"} 48' in text
