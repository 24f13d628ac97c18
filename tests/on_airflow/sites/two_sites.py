"""Two sites of one plane, both on the queue `default`, with tokens and bundles of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import Planes, Site, one_agent


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    """The first; the second stands by and must get nothing of it."""
    plane = planes.plane()
    with (
        one_agent(plane, home / "second", "there", token_site="south"),
        one_agent(plane, home / "first", "here", token_site="north") as site,
    ):
        site.also = lambda site: alone(site, home / "second")
        yield site


def alone(site: Site, other: Path) -> None:
    """No task of one site ran at the other."""
    site.run("promises")
    assert not (other / "journal").exists()
