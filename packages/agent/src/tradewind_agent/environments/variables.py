"""The environment variables a host gets: chosen, never simply inherited."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TERM"),
    *("AIRFLOW_*", "AIRFLOW__*", "PYTHON*", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
    ),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "KRB5*", "JAVA_HOME"),
    *("AWS_*", "AZURE_*", "GOOGLE_*", "CLOUDSDK_*", "GCP_*", "KUBERNETES_*", "OPENLINEAGE_*", "OTEL_*"),
)
"""Names of the agent's own variables that hosts get: what programs need to run, Airflow's settings, proxies, and the
identities that clouds give a machine."""

_PLANES_SECRETS: Final = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN*",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN*",
    "AIRFLOW__CORE__FERNET_KEY*",
    "AIRFLOW__API_AUTH__JWT_SECRET*",
    "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH*",
    "AIRFLOW__API__SECRET_KEY*",
    "AIRFLOW__WEBSERVER__SECRET_KEY*",
    "AIRFLOW__CELERY__*",
)


def is_planes_secret(name: str) -> bool:
    """True for a variable that opens the plane's database, its API or its encrypted fields."""
    return any(fnmatchcase(name.upper(), pattern) for pattern in _PLANES_SECRETS)


def for_host(
    inherited: Mapping[str, str],
    *,
    passed: Sequence[str],
    own: Mapping[str, str],
    defaults: Mapping[str, str],
) -> dict[str, str]:
    """What a host's environment is made of: `defaults`, under the chosen part of `inherited`, under the
    environment's `own`.

    Nothing named TRADEWIND_… comes through, whatever the patterns say, and none of the plane's secrets: a machine on
    which somebody also runs Airflow does not hand its database to tasks.
    """
    chosen = {
        name: value
        for name, value in inherited.items()
        if any(fnmatchcase(name, pattern) for pattern in passed) and not _is_ours(name)
    }
    return {
        name: value
        for name, value in {**defaults, **chosen, **own}.items()
        if not is_planes_secret(name) and not _is_ours(name)
    }


def defaults(state_dir: Path) -> dict[str, str]:
    """What a host has when nobody says otherwise.

    AIRFLOW_HOME is the agent's own: on a machine that also runs a plane, ~/airflow holds that plane's settings.
    """
    return {"AIRFLOW_HOME": str(state_dir / "airflow"), "PYTHONUNBUFFERED": "1"}


def for_bundles(bundles: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The agent's `bundles` as every host reads them; nothing when the setting is left out."""
    if not bundles:
        return {}
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([dict(each) for each in bundles]),
        # Airflow adds the bundles of its own examples to whatever list it is given, unless told not to.
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


def _is_ours(name: str) -> bool:
    return name.upper().startswith("TRADEWIND_")
