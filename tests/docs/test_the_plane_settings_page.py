"""The page of the plane's settings says what the code has, of every one of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tradewind_provider import settings
from tradewind_provider.options import ALL, OPTIONS

ROOT = Path(__file__).parents[2]
NUMBERS = [name for name, one in ALL.items() if one.type in ("integer", "float")]


def test_the_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location(
        "plane_settings_page", ROOT / "docs" / "scripts" / "plane_settings_page.py"
    )
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text() == made.page(), "run docs/scripts/plane_settings_page.py"


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_takes_and_when_to_change_it(name: str) -> None:
    one = ALL[name]
    assert one.description.endswith(".") and one.change.endswith(".") and one.accepted
    assert (one.least is not None) == (name in NUMBERS), "a number has a least, and nothing else"


@pytest.mark.parametrize("name", NUMBERS)
def test_the_least_that_is_told_is_the_least_that_is_taken(name: str) -> None:
    defaults = {each: str(option["default"]) for each, option in OPTIONS.items()}
    least = ALL[name].least
    assert least is not None
    settings.parse({**defaults, name: f"{least:g}"})
    with pytest.raises(settings.SettingsError, match=name):
        settings.parse({**defaults, name: f"{least - 0.01:g}" if least < 1000 else f"{least - 1:g}"})
