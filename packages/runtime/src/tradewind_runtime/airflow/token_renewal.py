"""The token of Vault that an owner gave the tasks is renewed before it expires, by a process that does nothing else.

The provider signs in again when Vault refuses a token. With a role or a service account that gives a new one. With `auth_type`
`token` there is no other, and one that expires would end every read of the site.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Final, NoReturn

import structlog
from airflow.sdk import configuration
from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS

from tradewind_runtime import kernel, secrets_failures
from tradewind_runtime.airflow import secrets_backends

log = structlog.get_logger(__name__)

RETRY: Final = 15.0
"""Seconds until Vault is asked again after a failure."""

_LEAST: Final = 0.5


def start() -> tuple[int, ...]:
    """Fork the process, and return its pid; none where the tasks have no token of Vault. It ends with this one."""
    backend, arguments = secrets_backends.configured()
    if backend.rpartition(".")[2] != "VaultBackend" or arguments.get("auth_type", "token") != "token":
        return ()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        _renew(parent)
    return (pid,)


def _renew(parent: int) -> NoReturn:
    try:
        kernel.die_with_parent(parent)
        kernel.default_signals()
        kernel.close_descriptors(())
        kernel.refuse_inspection()  # it holds the token
        kernel.title("tradewind vault token renewal")
        [vault, *_] = [
            each.vault_client
            for each in configuration.initialize_secrets_backends(DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
            if type(each).__name__ == "VaultBackend"
        ]
        while (pause := _turn(vault)) is not None:
            time.sleep(pause)
        while True:
            signal.pause()  # one that ends is one that its parent has to reap
    finally:
        os._exit(1)


def _turn(vault: Any) -> float | None:
    """Renew once. Returns the seconds until the next time; None when there is no more to do."""
    try:
        about = vault.client.auth.token.lookup_self()["data"]
        left = float(about["ttl"])
        if not left and not about.get("expire_time"):
            return None  # it never expires
        if not about["renewable"]:
            log.warning("The token of Vault cannot be renewed", action="vault_token_ends", seconds=left)
            return None
        left = float(vault.client.auth.token.renew_self()["auth"]["lease_duration"])
        log.info("The token of Vault is renewed", action="vault_token_renewed", seconds=left)
        return max(left / 3, _LEAST)
    except Exception as error:
        failure = secrets_failures.explain("VaultBackend", error)
        log.warning(
            "The token of Vault is not renewed",
            action="vault_token_not_renewed",
            error=failure.cause,
            remedy=failure.remedy,
        )
        vault._invalidate_client()  # another program may have written a new one into `token_path`
        return RETRY
