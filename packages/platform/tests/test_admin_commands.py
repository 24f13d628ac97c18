"""The commands on the platform's machine that let people in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from tradewind_platform.clock import utc_now
from tradewind_platform.commands import platform
from tradewind_platform.home import PlatformSettings, opened
from tradewind_platform.services import local_accounts

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    home = tmp_path / "home"
    home.mkdir()
    return lambda *arguments: CliRunner().invoke(platform, [*arguments, "--home", str(home)])


def code_of(printed: Result) -> str:
    assert printed.exit_code == 0, printed.output
    link = urlsplit(printed.stdout.strip())
    assert (link.scheme, link.netloc, link.path) == ("https", "platform.example.com", "/welcome")
    return parse_qs(link.query)["code"][0]


def test_a_link_for_the_first_administrator_needs_no_name_and_one_for_a_user_does(
    run: Run, tmp_path: Path
) -> None:
    url = ("--url", "https://platform.example.com/")
    first = code_of(run("admin", "sign-in-link", *url))
    run("admin", "create", "ada")
    refused = run("admin", "sign-in-link", *url)
    assert refused.exit_code != 0 and refused.exception is not None and "needs the name" in refused.stderr
    unknown = run("admin", "sign-in-link", "nobody", *url)
    assert unknown.exit_code != 0 and "no user 'nobody'" in unknown.stderr
    second = code_of(run("admin", "sign-in-link", "ada", *url))
    with opened(PlatformSettings(tmp_path / "home")) as (store, _):
        assert local_accounts.link_of(store, first, now=utc_now()).user_id is None
        assert local_accounts.link_of(store, second, now=utc_now()).user_id is not None


def test_the_address_of_a_link_is_one_of_a_web_server(run: Run) -> None:
    refused = run("admin", "sign-in-link", "--url", "platform.example.com")
    assert refused.exit_code != 0 and "is not the address of a web server" in refused.stderr


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        ({}, "http://127.0.0.1:8700"),
        ({"url": "https://Platform.example.com/"}, "https://platform.example.com"),
        ({"listen": "10.0.0.1:443", "certificate": Path("x")}, "https://10.0.0.1"),
    ],
    ids=["where it listens", "behind a proxy", "with a certificate"],
)
def test_the_platforms_own_address_is_of_its_configuration(
    settings: dict[str, object], origin: str, tmp_path: Path
) -> None:
    assert PlatformSettings(tmp_path, **settings).origin == origin  # type: ignore[arg-type]
