"""What the agent finds wrong is told to the plane without the secrets that a tool printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tradewind_agent.monitoring.checks import Checks
from tradewind_agent.monitoring.masking import Masking
from tradewind_agent.settings import Settings
from tradewind_protocol import ids
from tradewind_protocol.polling import Finding

TOKEN = ids.new_secret(ids.AGENT_TOKEN_PREFIX)


def masking(tmp_path: Path, **more: Any) -> Masking:
    settings = Settings(
        plane_url="https://plane.test",
        token=TOKEN,
        state_dir=tmp_path,
        proxy="http://ada:proxy%40word@proxy.test",
        environments=[{"name": "etl", "env": {"VAULT_TOKEN": "hvs.of-the-vault", "REGION": "frankfurt"}}],
    )
    return Masking(settings, {"AIRFLOW_CONN_DB": "postgres://ada:of-the-db@db.test/x", "LANG": "C.UTF-8"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"refused: {TOKEN}", "refused: ***"),
        ("cannot sign in with hvs.of-the-vault", "cannot sign in with ***"),
        ("FATAL: of-the-db is no password of ada", "FATAL: *** is no password of ada"),
        ("fatal: https://bot:ghp_unknown@git.test/dags.git", "fatal: https://bot:***@git.test/dags.git"),
        ("proxy@word and proxy%40word", "*** and ***"),
        ("the bucket in frankfurt is not there", "the bucket in frankfurt is not there"),
    ],
)
def test_a_secret_that_is_known_or_in_a_url_is_masked(tmp_path: Path, text: str, told: str) -> None:
    assert masking(tmp_path).masked(text) == told


def test_credentials_of_others_are_cut_to_their_prefix(tmp_path: Path) -> None:
    other = ids.new_secret(ids.LOCAL_SECRET_PREFIX)
    assert other not in masking(tmp_path).masked(f"the gateway refused {other}")


def test_every_finding_passes_the_mask_before_anybody_reads_it(tmp_path: Path) -> None:
    class NoOutbox:
        def oldest(self) -> None:
            return None

    said = Finding(
        check="host:worker:etl", message="the worker ended: hvs.of-the-vault", remedy="hvs.of-the-vault"
    )
    checks = Checks(
        state_dir=tmp_path,
        outbox=NoOutbox(),
        processes=lambda: [said],
        ledger_problem=lambda: "",
        health_problem=lambda: "",
        now=lambda: 0.0,
        masking=masking(tmp_path),
    )
    found = next(one for one in checks() if one.check == said.check)
    assert (found.message, found.remedy) == ("the worker ended: ***", "***")
