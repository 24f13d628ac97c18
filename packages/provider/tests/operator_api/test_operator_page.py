"""What the Remote Agents page needs: who I am, how fast queues are, and its own files."""

from __future__ import annotations

import importlib.util
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tradewind_provider.plugin import TradewindPlugin

from .conftest import NOW


@pytest.mark.parametrize(
    ("user", "may"),
    [
        ("vera", ["read", "audit"]),
        ("olga", ["read", "operate", "audit"]),
        ("ada", ["read", "operate", "administer", "audit"]),
    ],
)
async def test_everybody_is_told_who_they_are_and_what_they_may_do(
    signed_in: Any, user: str, may: list[str]
) -> None:
    me = (await signed_in(user).get("/me")).json()
    assert (me["name"], me["may"]) == (user, may)


async def test_nobody_is_told_nothing(signed_in: Any) -> None:
    assert (await signed_in("").get("/me")).status_code == 401


async def test_the_session_cookie_of_airflows_ui_signs_in_too(signed_in: Any) -> None:
    token = signed_in("olga").headers["Authorization"].removeprefix("Bearer ")
    browser = signed_in("")
    browser.cookies.set("_token", token)
    assert (await browser.get("/me")).json()["name"] == "olga"
    assert (await browser.get("/agents")).status_code == 200


async def test_throughput_counts_what_ended_in_each_full_minute(signed_in: Any, rows: Any) -> None:
    for seconds, outcome in ((61, "succeeded"), (119, "failed"), (60, "succeeded"), (170, "lost")):
        rows.attempt("finished", ended_at=NOW - timedelta(seconds=seconds, milliseconds=1), outcome=outcome)
    rows.attempt("finished", ended_at=NOW - timedelta(milliseconds=400), outcome="succeeded", queue="gpu")
    left_failed = {"outcome": "succeeded", "task_state": "failed"}
    rows.attempt("finished", ended_at=NOW - timedelta(seconds=61), queue="bad", **left_failed)
    rows.attempt("finished", ended_at=NOW, outcome="succeeded")  # in the minute that runs
    rows.attempt("finished", ended_at=NOW - timedelta(minutes=5), outcome="succeeded")  # too long ago
    rows.attempt("revoked", ended_at=NOW - timedelta(seconds=90))  # never ran

    found = (await signed_in("vera").get("/queues/throughput", params={"minutes": 3})).json()
    assert (found["since"], found["until"], found["step"]) == (
        "2026-03-01T11:57:00Z",
        "2026-03-01T12:00:00Z",
        60,
    )
    assert found["queues"] == [
        {"site": "default", "queue": "bad", "finished": [0, 1, 0], "failed": [0, 1, 0]},
        {"site": "default", "queue": "default", "finished": [1, 3, 0], "failed": [1, 1, 0]},
        {"site": "default", "queue": "gpu", "finished": [0, 0, 1], "failed": [0, 0, 0]},
    ]


async def test_the_page_is_served_at_the_address_airflow_is_told(app: Any) -> None:
    (page,) = TradewindPlugin().react_apps
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane/") as browser:
        for address in (page["bundle_url"], page["icon"], page["icon_dark_mode"]):
            answer = await browser.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
            again = await browser.get(address, headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")
        script = await browser.get(page["bundle_url"])
        assert script.headers["Content-Type"].startswith("text/javascript")
        assert "no-cache" in (await browser.get("tradewind/ui/remote-agents.js")).headers["Cache-Control"]


@pytest.mark.parametrize("name", ["__init__.py", "..%2f__init__.py", "nothing.js"])
async def test_only_the_pages_own_files_are_served(app: Any, name: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane/") as browser:
        assert (await browser.get(f"tradewind/ui/{name}")).status_code == 404


UI = Path(__file__).parents[4] / "ui"


@pytest.fixture
def ui_check() -> Any:
    """The check CI makes, as a module."""
    spec = importlib.util.spec_from_file_location("ui_check", UI / "scripts/ui_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("of", ["PROVIDER", "PLATFORM"])
def test_the_committed_script_is_built_from_the_committed_source(ui_check: Any, of: str) -> None:
    bundle = getattr(ui_check, of)
    assert ui_check.named_hash(bundle) == ui_check.sources_hash(bundle), (
        "run `make ui` and commit what changes"
    )


def test_a_change_of_the_source_or_a_new_file_is_noticed(ui_check: Any, tmp_path: Path) -> None:
    copy, bundle = tmp_path / "ui", ui_check.PROVIDER
    shutil.copytree(UI, copy, ignore=shutil.ignore_patterns("node_modules"))
    assert ui_check.sources_hash(bundle, copy) == ui_check.sources_hash(bundle)
    (copy / "src/pages/New.tsx").write_text("export {};")
    added = ui_check.sources_hash(bundle, copy)
    (copy / "vite.config.js").write_text("// nothing")
    assert len({ui_check.sources_hash(bundle), added, ui_check.sources_hash(bundle, copy)}) == 3


def test_a_page_of_the_platform_changes_the_platforms_script_only(ui_check: Any, tmp_path: Path) -> None:
    copy = tmp_path / "ui"
    shutil.copytree(UI, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "src/platform/New.tsx").write_text("export {};")
    provider, platform = ui_check.PROVIDER, ui_check.PLATFORM
    assert ui_check.sources_hash(provider, copy) == ui_check.sources_hash(provider)
    assert ui_check.sources_hash(platform, copy) != ui_check.sources_hash(platform)


def test_a_bundle_that_does_not_say_what_it_is_made_of_is_not_believed(ui_check: Any, tmp_path: Path) -> None:
    (tmp_path / "bundle.js").write_bytes(b"console.log(1)")
    assert ui_check.named_hash(ui_check.PROVIDER._replace(path=tmp_path / "bundle.js")) == ""


def test_the_lock_of_the_pages_packages_names_hashes_and_no_addresses() -> None:
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    fetched = {name: entry for name, entry in packages.items() if name}
    assert fetched and all("integrity" in entry for entry in fetched.values())
    assert not [name for name, entry in fetched.items() if "resolved" in entry]
