"""`tradewind plane`: what the owner of an orchestration plane makes before it is installed."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import click

from tradewind.embedded.plane_keys import PlaneKeys, new_keys, prepended
from tradewind.errors import BadUsage

_FERNET = "fernet-key"  # the names that the chart of a plane reads


@click.group()
def plane() -> None:
    """Make the keys of an orchestration plane."""


@plane.command()
@click.option("--name", default="plane-keys", show_default=True, help="Name of the Secret.")
@click.option("--namespace", default="", help="Namespace of the Secret. Default: that of kubectl.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["secret", "env"]),
    default="secret",
    show_default=True,
    help="A Kubernetes Secret, or environment variables of Airflow.",
)
def keys(name: str, namespace: str, form: str) -> None:
    """Print new keys: for the database (Fernet), the agents' and users' tokens (JWT) and the cookies.

    Make them once for each plane, and keep them. Nothing opens what was encrypted with keys that are gone:

        tradewind plane keys | kubectl create -f -
    """
    _refuse_terminal()
    made = new_keys()
    click.echo(_secret(made, name, namespace) if form == "secret" else _environment(made))


@plane.command("rotate-fernet-key")
def rotate_fernet_key() -> None:
    """Read a Secret with a plane's keys, and print it with a new Fernet key in front of those that it has.

    The new key encrypts, and the old ones still decrypt:

        kubectl get secret plane-keys -o json | tradewind plane rotate-fernet-key | kubectl replace -f -

    Then restart the plane, run `airflow rotate-fernet-key` in one of its pods, and take the old key out.
    """
    _refuse_terminal()
    secret = _read()
    data = secret["data"]
    try:
        data[_FERNET] = _encoded(prepended(base64.b64decode(data[_FERNET]).decode()))
    except ValueError as wrong:
        raise BadUsage(
            f"the Secret's {_FERNET} cannot be rotated: {wrong}",
            remedy="name the Secret that the chart's keys.existingSecret names",
        ) from None
    click.echo(json.dumps(secret, indent=2))


def _read() -> dict[str, Any]:
    try:
        found = json.loads(sys.stdin.read())
        if isinstance(found["data"][_FERNET], str):
            return dict(found)
    except (ValueError, KeyError, TypeError):
        pass
    raise BadUsage(
        f"standard input is not a Kubernetes Secret as JSON with the key {_FERNET}",
        remedy="kubectl get secret plane-keys -o json | tradewind plane rotate-fernet-key | kubectl replace -f -",
    )


def _refuse_terminal() -> None:
    """Keys go into a pipe or a file, not onto a screen that somebody shares."""
    if sys.stdout.isatty():
        raise BadUsage(
            "keys are not printed on a terminal",
            remedy="pipe them to `kubectl create -f -`, or write them to a file",
        )


def _secret(keys: PlaneKeys, name: str, namespace: str) -> str:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    data = {_FERNET: keys.fernet, "jwt-secret": keys.jwt, "api-secret-key": keys.api}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": {key: _encoded(value) for key, value in data.items()},
        },
        indent=2,
    )


def _environment(keys: PlaneKeys) -> str:
    return "\n".join(
        (
            f"AIRFLOW__CORE__FERNET_KEY={keys.fernet}",
            f"AIRFLOW__API_AUTH__JWT_SECRET={keys.jwt}",
            f"AIRFLOW__API__SECRET_KEY={keys.api}",
        )
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
