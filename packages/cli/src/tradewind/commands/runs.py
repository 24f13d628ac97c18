"""`tradewind runs`: start a run that is signed, for sites whose owner demands it."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind_protocol import run_signatures
from tradewind_protocol.run_signatures import RunStatement

_PATIENCE = 60.0  # seconds: a key in hardware waits for a touch


@click.group()
def runs() -> None:
    """Start runs of Dags."""


@runs.command()
@click.argument("dag_id")
@click.option("--conf", default="{}", help="Parameters of the run, as a JSON object.")
@click.option("--run-id", help="Id of the run. Default: signed__ and the time.")
@click.option(
    "--sign",
    "key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ed25519 key of OpenSSH to sign the run with: a private key, or a public one whose private key an agent holds.",
)
@click.option(
    "--valid",
    type=click.IntRange(1, 24 * 30),
    default=24,
    help="Hours in which tasks of the run may start. Default: 24.",
)
@pass_session
def start(session: Session, dag_id: str, conf: str, run_id: str | None, key: Path | None, valid: int) -> None:
    """Start a run of DAG_ID.

    With --sign, sites whose owner trusts the key run it. The signature is for this run, with these parameters, in this Deployment.
    """
    parameters = _parameters(conf)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    run_id = run_id or f"signed__{now.isoformat()}_{secrets.token_hex(4)}"
    with session.connect() as client:
        if key is not None:
            statement = RunStatement(
                deployment=client.me().deployment,
                dag_id=dag_id,
                run_id=run_id,
                parameters=run_signatures.digest(parameters),
                not_before=now.isoformat(),
                not_after=(now + timedelta(hours=valid)).isoformat(),
            )
            parameters[run_signatures.KEY] = {
                "not_before": statement.not_before,
                "not_after": statement.not_after,
                "signature": signature(key, statement.text()),
            }
        client.start_run(dag_id, run_id, parameters)
    click.echo(run_id)


def signature(key: Path, text: bytes) -> str:
    """What `ssh-keygen` makes of the text, without its first and last line. Raises BadUsage."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "statement")
        file.write_bytes(text)
        command = [
            "ssh-keygen",
            "-q",
            "-Y",
            "sign",
            "-f",
            str(key),
            "-n",
            run_signatures.NAMESPACE,
            str(file),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        except FileNotFoundError:
            raise BadUsage(
                "`ssh-keygen` is not installed; it signs", remedy="Install OpenSSH's client"
            ) from None
        except subprocess.TimeoutExpired:
            raise BadUsage(f"`ssh-keygen` has not signed within {_PATIENCE:.0f} seconds") from None
        if done.returncode != 0:
            raise BadUsage(f"{key} cannot sign: {' '.join(done.stderr.split())[:300]}")
        lines = Path(f"{file}.sig").read_text().splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))


def _parameters(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"--conf is no JSON: {error}") from None
    if not isinstance(read, dict) or run_signatures.KEY in read:
        raise click.BadParameter("--conf is no JSON object, or has a signature already")
    return read
