"""The site's secrets backend and the store of its task logs, as variables of the tasks: the settings of docs/how-to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from tradewind_provider.domain.recipes.requests import RecipeRequest
from tradewind_provider.domain.recipes.text import slug


@dataclass(frozen=True)
class _SecretsBackend:
    """One kind that can be chosen."""

    classpath: str
    extra: str  # of tradewind-runtime
    place: str  # the argument that says where it is
    arguments: dict[str, object]
    role: str = ""  # the argument that says as which role tasks sign in


def _names(connections: str, variables: str, what: str = "prefix") -> dict[str, object]:
    return {f"connections_{what}": connections, f"variables_{what}": variables, f"config_{what}": None}


VAULT_TOKEN_FOLDER: Final = "/var/run/secrets/vault"
"""Where a pod has the token of its service account that Vault takes."""
VAULT_TOKEN: Final = "{name: vault-token, projected: {sources: [{serviceAccountToken: {path: token, audience: vault, expirationSeconds: 3600}}]}}"
VAULT_TOKEN_MOUNT: Final = f"{{name: vault-token, mountPath: {VAULT_TOKEN_FOLDER}, readOnly: true}}"

_AWS: Final = "airflow.providers.amazon.aws.secrets"
_VAULT: Final = "airflow.providers.hashicorp.secrets.vault.VaultBackend"
_IN_VAULT: Final = {"mount_point": "secret", **_names("airflow/connections", "airflow/variables", "path")}
_DASHES: Final = _names("airflow-connections", "airflow-variables")

SECRETS_BACKENDS: Final = {
    "aws-secrets-manager": _SecretsBackend(
        f"{_AWS}.secrets_manager.SecretsManagerBackend",
        "amazon",
        "region_name",
        _names("airflow/connections", "airflow/variables"),
    ),
    "aws-parameter-store": _SecretsBackend(
        f"{_AWS}.systems_manager.SystemsManagerParameterStoreBackend",
        "amazon",
        "region_name",
        _names("/airflow/connections", "/airflow/variables"),
    ),
    "azure-key-vault": _SecretsBackend(
        "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend",
        "azure",
        "vault_url",
        _DASHES,
    ),
    "google-secret-manager": _SecretsBackend(
        "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend",
        "google",
        "project_id",
        _DASHES,
    ),
    "vault-kubernetes": _SecretsBackend(
        _VAULT,
        "hashicorp",
        "url",
        {**_IN_VAULT, "auth_type": "kubernetes", "kubernetes_jwt_path": f"{VAULT_TOKEN_FOLDER}/token"},
        role="kubernetes_role",
    ),
    "vault-approle": _SecretsBackend(
        _VAULT, "hashicorp", "url", {**_IN_VAULT, "auth_type": "approle"}, role="role_id"
    ),
}

LOG_SCHEMES: Final = {"s3": "amazon", "gs": "google", "wasb": "azure"}
"""Of the stores that task logs may go to, with the extras of tradewind-runtime."""


def extras(wanted: RecipeRequest) -> list[str]:
    """Extras of tradewind-runtime that these services need."""
    found = [SECRETS_BACKENDS[wanted.secrets.kind].extra] if wanted.secrets.kind else []
    return found + [LOG_SCHEMES[wanted.logs.url.partition("://")[0]]] if wanted.logs.url else found


def secrets_backend(wanted: RecipeRequest) -> tuple[str, dict[str, object]]:
    """The class and its keyword arguments; empty without one."""
    if not wanted.secrets.kind:
        return "", {}
    backend = SECRETS_BACKENDS[wanted.secrets.kind]
    arguments = {backend.place: wanted.secrets.place, **backend.arguments}
    if backend.role:
        arguments[backend.role] = wanted.secrets.role
    return backend.classpath, arguments


def service_account(wanted: RecipeRequest) -> str:
    """The service account of pods that Vault knows: named like the role. Empty where tasks sign in by other means."""
    return slug(wanted.secrets.role) if wanted.secrets.kind == "vault-kubernetes" else ""


def variables(wanted: RecipeRequest) -> dict[str, str]:
    """What the tasks get in their environment."""
    found = {}
    classpath, arguments = secrets_backend(wanted)
    if classpath:
        found["AIRFLOW__SECRETS__BACKEND"] = classpath
        found["AIRFLOW__SECRETS__BACKEND_KWARGS"] = json.dumps(arguments)
    if wanted.logs.url:
        found["AIRFLOW__LOGGING__REMOTE_LOGGING"] = "True"
        found["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] = wanted.logs.url
        if wanted.logs.connection:
            found["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"] = wanted.logs.connection
        if wanted.logs.container:
            found["AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER"] = wanted.logs.container
    return found
