"""Shortcuts are chosen by a setting, logged once, shown by a metric, and never keep a server from starting."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette

from tradewind_provider.airflow.execution_api import ExecutionApi
from tradewind_provider.options import ALL, SHORTCUTS
from tradewind_provider.services import metrics
from tradewind_provider.settings import Settings, SettingsError, parse
from tradewind_provider.shortcuts import table
from tradewind_provider.shortcuts.frozen_heap import MORE_OBJECTS, FrozenHeap
from tradewind_provider.shortcuts.middleware_bypass import _FOR_BROWSERS
from tradewind_provider.shortcuts.switch import NOT_CHOSEN, ShortcutSwitch


@dataclass
class Made:
    """A shortcut made for a test."""

    name: str
    why_not: str | None = None
    fails: bool = False
    installed: list[str] = field(default_factory=list)

    def applies(self) -> str | None:
        return self.why_not

    def install(self) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.installed.append(self.name)


def settings_of(shortcuts: str) -> Settings:
    return parse({name: option.default for name, option in ALL.items()} | {"shortcuts": shortcuts})


def test_each_is_on_or_off_with_a_reason_and_one_that_fails_is_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    one, other, broken = Made("one"), Made("other", why_not="there is another"), Made("broken", fails=True)
    switch = ShortcutSwitch()
    switch.install([broken, one, other])
    assert switch.states == {
        "broken": "it failed: RuntimeError: broken", "one": "", "other": "there is another",
    }  # fmt: skip
    assert (one.installed, other.installed) == (["one"], [])
    said = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert said == [
        "Shortcut broken is off: it failed: RuntimeError: broken",
        "Shortcut one is on",
        "Shortcut other is off: there is another",
    ]


@pytest.mark.parametrize(
    ("written", "on"), [("all", {"one", "other"}), ("none", set()), ("frozen-heap", set())]
)
def test_the_setting_chooses(written: str, on: set[str]) -> None:
    switch = ShortcutSwitch(settings_of(written).shortcuts)
    switch.install([Made("one"), Made("other")])
    assert {name for name, why in switch.states.items() if not why} == on
    assert {why for why in switch.states.values() if why} <= {NOT_CHOSEN}


@pytest.mark.parametrize("written", ["", "frozen-heap, fast", "none, frozen-heap"])
def test_a_setting_that_names_none_that_exists_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match="write all, none, or names of these"):
        settings_of(written)


def test_the_setting_may_name_every_shortcut_of_the_table_and_no_other() -> None:
    made = table.of_api_server(
        Starlette(), Starlette(), Starlette, execution_api=ExecutionApi(), access_log=False
    )
    assert tuple(one.name for one in made) == SHORTCUTS
    assert settings_of(", ".join(SHORTCUTS)).shortcuts == frozenset(SHORTCUTS)


@pytest.mark.parametrize("name", sorted(_FOR_BROWSERS))
def test_every_middleware_that_may_be_left_out_is_one_of_airflows(name: str) -> None:
    """A name that Airflow gives up must not let another middleware of that name be left out unseen."""
    module, _, cls = name.rpartition(".")
    found = importlib.util.find_spec(module)
    assert found is not None and found.origin is not None
    assert f"class {cls}" in Path(found.origin).read_text(encoding="utf-8")


def test_a_metric_shows_which_are_on() -> None:
    text = metrics.text(metrics.PlaneSnapshot(shortcuts={"frozen-heap": "", "single-thread": "it failed"}))
    assert 'tradewind_plane_shortcut{shortcut="frozen-heap"} 1' in text
    assert 'tradewind_plane_shortcut{shortcut="single-thread"} 0' in text


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector as it was, afterwards."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.parametrize(("before", "after"), [(700, MORE_OBJECTS), (MORE_OBJECTS + 1, MORE_OBJECTS + 1)])
def test_the_collector_looks_less_often_and_never_more_often(
    collector: None, before: int, after: int
) -> None:
    gc.set_threshold(before, 9, 8)
    assert FrozenHeap().applies() is None
    FrozenHeap().install()
    assert gc.get_threshold() == (after, 9, 8)
    assert gc.get_freeze_count() > 10_000
