"""Real Airflow, real agents, a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="`make test-ui` installs what drives the browser")

from playwright.sync_api import Browser, BrowserContext, Page

from support import deployment, directories
from support.airflow_rest import AirflowRest
from support.installed import plane_settings
from support.talkers import GATEWAY, Stand
from tradewind.embedded.plane import Plane

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            for mark in (pytest.mark.ui, pytest.mark.airflow, pytest.mark.timeout(600)):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    with directories.short("twu-") as made:
        yield made


@pytest.fixture(scope="session")
def plane(directory: Path) -> Iterator[Plane]:
    """A plane that hears of its agents every five seconds."""
    options = {
        "tradewind": {
            "deployment": "production",
            "poll_seconds": "5",
            "sweep_seconds": "1",
            "endpoint_gateways": GATEWAY,
            "canary_interval_seconds": "5",
        },
        "scheduler": {"dag_dir_list_interval": "5"},
    }
    with Plane(plane_settings(home=directory / "plane", options=options)) as running:
        yield running


@pytest.fixture(scope="session")
def rest(plane: Plane) -> Iterator[AirflowRest]:
    with plane.client() as http:
        yield AirflowRest(http)


@pytest.fixture(scope="session")
def site(directory: Path, plane: Plane, rest: AirflowRest) -> Iterator[Any]:
    """A real agent with a Dag whose tasks run until they are told to end."""
    with deployment.run_site(
        directory / "site", plane, name="frankfurt-1", dags=HERE / "dags", options={"slots": 4}
    ) as (_, home):
        rest.wait_for_dags(["harvest", "export"])
        yield home


@pytest.fixture(scope="session")
def working_site(site: Path, rest: AirflowRest) -> Iterator[str]:
    """Three tasks run on that agent, one waits in a queue nobody serves; the id of the run."""
    run = rest.trigger("harvest")
    rest.trigger("export")
    for row in range(3):
        rest.wait_for_task("harvest", run, "pick", ["running"], map_index=row)
    yield run
    (site / "picked").touch()


@pytest.fixture
def stand(plane: Plane) -> Iterator[Stand]:
    """Agents that only say that they are there."""
    with Stand(plane) as agents:
        yield agents


Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def signed_in(browser: Browser, plane: Plane) -> Callable[[str], Any]:
    """What a browser keeps once that user has signed in through Airflow's form."""

    @cache
    def kept(user: str) -> Any:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{plane.url}/auth/login?next={plane.url}/")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(plane.passwords[user])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{plane.url}/")
        state = context.storage_state()
        context.close()
        return state

    return kept


@pytest.fixture
def open_page(browser: Browser, plane: Plane, signed_in: Callable[[str], Any]) -> Iterator[Opened]:
    """`open_page("queues", user="viewer")`: that page in a browser of its own, in Airflow's light or dark mode."""
    contexts: list[BrowserContext] = []

    def opened(
        path: str = "", *, user: str = "admin", dark: bool = False, size: tuple[int, int] = (1440, 900)
    ) -> Page:
        context = browser.new_context(
            storage_state=signed_in(user),
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        context.add_init_script(f"localStorage.setItem('theme', '{'dark' if dark else 'light'}')")
        page = context.new_page()
        page.goto(f"{plane.url}/plugin/remote-agents/{path}")
        return page

    yield opened
    for context in contexts:
        with contextlib.suppress(Exception):
            context.close()
