"""Configuration in layers: which options and variables a person may set, and which layer wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar


class Layer(str, Enum):
    """From the outermost to the innermost one. The innermost one that has a value wins, unless an outer one has locked it."""

    CLUSTER = "cluster"
    WORKSPACE = "workspace"
    DEPLOYMENT = "deployment"


ORDER: Final = tuple(Layer)
Key = TypeVar("Key")


@dataclass(frozen=True)
class Entry(Generic[Key]):
    """A value in a layer. `locked`: the layers inside may not say otherwise."""

    layer: Layer
    key: Key
    value: str
    locked: bool = False


def effective(entries: Iterable[Entry[Key]]) -> dict[Key, Entry[Key]]:
    """For each key the entry that counts."""
    found: dict[Key, Entry[Key]] = {}
    for entry in sorted(entries, key=lambda one: ORDER.index(one.layer)):
        before = found.get(entry.key)
        if before is None or not before.locked:
            found[entry.key] = entry
    return found


def locked_by(entries: Iterable[Entry[Key]], key: Key, layer: Layer) -> Layer | None:
    """The layer outside `layer` that has locked the key."""
    outer = ORDER[: ORDER.index(layer)]
    return next((one.layer for one in entries if one.key == key and one.locked and one.layer in outer), None)


# ---- what may be set

_OWNED: Final[Mapping[str, frozenset[str] | None]] = {
    "core": frozenset(
        {
            "executor",
            "auth_manager",
            "fernet_key",
            "load_examples",
            "execution_api_server_url",
            "simple_auth_manager_users",
            "simple_auth_manager_passwords_file",
            "simple_auth_manager_all_admins",
        }
    ),
    "database": frozenset({"sql_alchemy_conn", "sql_alchemy_conn_async", "external_db_managers"}),
    "api": frozenset({"base_url", "secret_key", "host", "port", "instance_name", "ssl_cert", "ssl_key"}),
    "api_auth": None,
    "execution_api": frozenset({"jwt_audience"}),
    "dag_processor": frozenset({"dag_bundle_config_list"}),
    "logging": frozenset({"base_log_folder"}),
    "tradewind": frozenset(
        {
            "deployment",
            "deployment_id",
            "agent_url",
            "agent_hosts",
            "trusted_proxies",
            "endpoint_gateways",
            "policy",
            "managed_by",
            "platform_url",
            "platform_credential_file",
            "platform_ca_file",
            "access_file",
            "access_max_age_seconds",
        }
    ),
}
"""Options that the platform sets; None: every option of the section."""

ALLOW_LIST: Final = ("tradewind", "allowed_addresses")
"""The networks agents may connect from until the Deployment's own list is set. Only a person who may change that list sets it."""
_CODE: Final = re.compile(
    r"(^|_)(plugins_folder|dags_folder|backend|backends|class|classpath|class_path|classes|module|manager|managers|hook|callable"
    r"|connect_args|connect_args_async|client_path|before_send|facets|extractors|adapter|parser|session_maker|preload|coordinators"
    r"|ini_file_path|log_config)$"
)
"""Options whose value names code, or a file that names it: it runs on the platform's machines with the Deployment's rights."""
_FROM_A_PROGRAM: Final = re.compile(r"_(cmd|secret)$")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_AIRFLOW: Final = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")
_RESERVED: Final = re.compile(
    r"(PYTHON.*|LD_.*|DYLD_.*|GCONV_PATH|MALLOC_.*|PATH|HOME|USER|LOGNAME|SHELL|IFS|ENV|BASH_ENV|BASH_FUNC.*|TMPDIR|SPT_NOENV"
    r"|AIRFLOW_HOME|AIRFLOW_CONFIG|_AIRFLOW.*|TRADEWIND_.*|VIRTUAL_ENV|SSLKEYLOGFILE|OPENSSL_CONF|OPENSSL_MODULES)",
    re.IGNORECASE,
)


def why_not_option(layer: Layer, section: str, key: str) -> str:
    """Why that option may not be set in that layer, as a sentence; empty when it may."""
    section, key = section.lower(), key.lower()
    owned = _OWNED.get(section, frozenset())
    plain = _FROM_A_PROGRAM.sub("", key)
    if owned is None or key in owned or plain in owned:
        return f"[{section}] {key} is set by the platform"
    if (section, plain) == ALLOW_LIST and layer is not Layer.CLUSTER:
        return f"[{section}] {key} is the Deployment's list of allowed addresses, which `tradewind allowed-ips` changes"
    if _FROM_A_PROGRAM.search(key):
        return f"[{section}] {key} runs a program or asks a secrets backend on the platform's machine"
    if _CODE.search(key) and layer is not Layer.CLUSTER:
        return f"[{section}] {key} names code that runs on the platform's machine; only the cluster's layer may set it"
    return ""


def why_not_variable(layer: Layer, name: str) -> str:
    """Why an environment variable of that name may not be set in that layer, as a sentence; empty when it may."""
    if _VARIABLE.fullmatch(name) is None:
        return f"{name!r} is no name of an environment variable"
    if _RESERVED.fullmatch(name):
        return f"{name} decides which code the Deployment's processes run, or belongs to the platform"
    option = _AIRFLOW.fullmatch(name.upper())
    if option is not None:
        return why_not_option(layer, option[1], option[2])
    if _FROM_A_PROGRAM.search(name.lower()) and name.upper().startswith("AIRFLOW"):
        return f"{name} runs a program or asks a secrets backend on the platform's machine"
    return ""
