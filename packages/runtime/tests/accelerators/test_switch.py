"""Which accelerators are installed, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tradewind_protocol.hosts import Configure
from tradewind_protocol.states import Component
from tradewind_runtime.accelerators import table
from tradewind_runtime.accelerators.switch import NOT_CHOSEN, Switch


class Faster:
    def __init__(self, name: str, reason: str | None = None, fault: Exception | None = None) -> None:
        self.name, self._reason, self._fault = name, reason, fault
        self.installed = False

    def applies(self) -> str | None:
        return self._reason

    def install(self) -> None:
        if self._fault is not None:
            raise self._fault
        self.installed = True


@pytest.mark.parametrize(
    ("setting", "on"),
    [
        ("all", {"one", "two"}),
        (["all"], {"one", "two"}),
        (None, {"one", "two"}),
        ("none", set()),
        (["none"], set()),
        (["two"], {"two"}),
        ([], set()),
    ],
)
def test_the_setting_chooses(setting: object, on: set[str]) -> None:
    both = Faster("one"), Faster("two")
    switch = Switch(setting, process="worker")
    switch.install(*both)
    assert {each.name for each in both if each.installed} == on
    assert switch.states == {name: "" if name in on else NOT_CHOSEN for name in ("one", "two")}


def test_each_is_logged_once_on_or_off_with_its_reason() -> None:
    with capture_logs() as lines:
        Switch("all", process="worker").install(Faster("one"), Faster("two", reason="there is a plugin"))
    assert [(line["action"], line["accelerator"], line.get("reason")) for line in lines] == [
        ("accelerator_on", "one", None),
        ("accelerator_off", "two", "there is a plugin"),
    ]


def test_one_that_fails_is_off_with_a_warning_and_the_others_are_on() -> None:
    broken, sound = Faster("broken", fault=AttributeError("no _get_plugins")), Faster("sound")
    switch = Switch("all", process="worker")
    with capture_logs() as lines:
        switch.install(broken, sound)
    assert sound.installed
    assert switch.states == {"broken": "it failed: AttributeError: no _get_plugins", "sound": ""}
    assert ("accelerator_failed", "warning") in [(line["action"], line["log_level"]) for line in lines]


def test_a_name_that_is_none_is_warned_of() -> None:
    configure: Any = Configure(
        component=Component.WORKER,
        agent_name="a",
        gateway="/g",
        secret="",
        options={"accelerators": ["shared_heap", "shard_heap", "none"]},
    )
    with capture_logs() as lines:
        table.switch(configure)
    assert [line["accelerator"] for line in lines] == ["shard_heap"]


def test_names_are_those_of_the_fields_they_are_composed_by() -> None:
    configure = Configure(component=Component.WORKER, agent_name="a", gateway="/g", secret="")
    for made in (table.of_worker(configure), table.of_dag_processor()):
        assert [each.name for each in made] == list(made._fields)
