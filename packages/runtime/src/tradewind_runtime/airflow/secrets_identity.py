"""As whom a secrets backend signs in, for the doctor: asked of the vendor with the backend's own client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final


def identity(backend: Any) -> str:
    """A few words without a secret; empty for a backend that is not known. Raises what the vendor's client raises."""
    look = _LOOKS.get(type(backend).__name__)
    return look(backend) if look else ""


def once() -> Any:
    """How AWS's SDK asks STS for the doctor: once, and not for minutes. A site may reach its other services and not that one."""
    from botocore.config import Config  # type: ignore[import-not-found]

    return Config(connect_timeout=4, read_timeout=4, retries={"total_max_attempts": 1})


def _aws(backend: Any) -> str:
    from boto3.session import Session  # type: ignore[import-not-found]

    credentials = backend.client._request_signer._credentials
    frozen = credentials.get_frozen_credentials()
    session = Session(frozen.access_key, frozen.secret_key, frozen.token, backend.client.meta.region_name)
    arn = session.client("sts", config=once()).get_caller_identity()["Arn"]
    return f"{arn} (by {credentials.method})"


def _azure(backend: Any) -> str:
    from azure.identity import DefaultAzureCredential  # type: ignore[import-not-found]

    if all((backend.tenant_id, backend.client_id, backend.client_secret)):
        return f"client {backend.client_id} of tenant {backend.tenant_id} (by its secret)"
    names = ("managed_identity_client_id", "workload_identity_tenant_id")
    both = {name: getattr(backend, name) for name in names if getattr(backend, name)}
    credential = DefaultAzureCredential(**both if len(both) == len(names) else {})  # as the backend does
    part = credential.get_token("https://vault.azure.net/.default").token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    by = type(credential._successful_credential).__name__
    return f"client {claims.get('appid') or claims.get('azp')} of tenant {claims.get('tid')} (by {by})"


def _google(backend: Any) -> str:
    credentials = backend.credentials
    if getattr(credentials, "service_account_email", "") == "default":  # a machine's, not asked yet
        from google.auth.transport.requests import Request  # type: ignore[import-untyped]

        credentials.refresh(Request())
    account = getattr(credentials, "service_account_email", "") or "no service account"
    return f"{account} in project {backend.project_id} (by {type(credentials).__name__})"


def _vault(backend: Any) -> str:
    about = backend.vault_client.client.auth.token.lookup_self()["data"]
    policies = ", ".join(sorted(set(about["policies"]) | set(about.get("identity_policies") or ())))
    return (
        f"policies {policies}; the token is good for {about['ttl']} s (by {backend.vault_client.auth_type})"
    )


_LOOKS: Final[dict[str, Callable[[Any], str]]] = {
    "SecretsManagerBackend": _aws,
    "SystemsManagerParameterStoreBackend": _aws,
    "AzureKeyVaultBackend": _azure,
    "CloudSecretManagerBackend": _google,
    "VaultBackend": _vault,
}
