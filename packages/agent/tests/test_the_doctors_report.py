"""The doctor's report for the owner of the plane."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from support import prepared_hosts
from tradewind_agent.cli.main import main
from tradewind_agent.doctor import report
from tradewind_protocol.checks import failed, ok, skipped, warning

NOW = datetime(2026, 11, 29, 4, 5, tzinfo=timezone.utc)
TOKEN = "tw_agent_" + "s" * 43


def test_the_way_is_told_with_evidence_and_remedy_and_the_site_is_not() -> None:
    results = [
        ok("settings", "agent 'eu-1', state in /var/lib/tradewind"),
        ok("name", "k3.external.example.com is 10.20.0.5, a private address"),
        failed("tls", "the chain ends at CN=Company\nand is not trusted", "name the authority with ca_file"),
        skipped("token", "the plane was not reached"),
        warning("connection:warehouse", "its password is empty", "set it"),
    ]
    assert report.text(
        results, plane_url="https://k3.external.example.com/d4f2", version="0.1.0", now=NOW
    ) == (
        "Tradewind: connectivity of a site\n"
        "plane: https://k3.external.example.com/d4f2\n"
        "agent: 0.1.0\n"
        "at: 2026-11-29 04:05 UTC\n"
        "\n"
        "- name: ok. k3.external.example.com is 10.20.0.5, a private address\n"
        "- tls: FAILED. the chain ends at CN=Company and is not trusted\n"
        "  remedy: name the authority with ca_file\n"
        "- token: not checked. the plane was not reached"
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (f"the token {TOKEN} is unknown", "the token tw_… is unknown"),
        ("through http://ada:secret@proxy.example.com:3128", "through http://…@proxy.example.com:3128"),
        ("/etc/tradewind/token cannot be read", "<file> cannot be read"),
        (
            "https://k3.external.example.com/d4f2/healthz answers",
            "https://k3.external.example.com/d4f2/healthz answers",
        ),
    ],
)
def test_nothing_secret_is_told(found: str, told: str) -> None:
    assert report.clean(found) == told


def test_the_command_prints_it_of_a_plane_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    done = CliRunner().invoke(
        main,
        [
            "doctor",
            "--output",
            "report",
            "--plane-url",
            "http://127.0.0.1:9/d4f2",
            "--token-file",
            str(tmp_path / "token"),
            "--state-dir",
            str(tmp_path / "state"),
            "--interpreter",
            str(prepared_hosts.python(tmp_path / "python")),
            "--components",
            "worker",
        ],
    )
    assert done.exit_code == 1, done.output
    assert "plane: http://127.0.0.1:9/d4f2" in done.output
    assert re.search(r"^- tcp: FAILED", done.output, re.MULTILINE)
    assert TOKEN not in done.output and str(tmp_path) not in done.output
    assert "environment" not in done.output
