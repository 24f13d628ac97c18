"""The gateway's program has one version, wherever it is named."""

from __future__ import annotations

from pathlib import Path

from tradewind.gateway import program

ROOT = Path(__file__).parents[2]


def test_the_makefile_and_the_tests_install_the_version_that_the_gateway_knows() -> None:
    assert f"CADDY  := {program.PACKAGE}\n" in (ROOT / "Makefile").read_text()
    assert program.PACKAGE in (ROOT / "tests/private_network/requirements.in").read_text()
