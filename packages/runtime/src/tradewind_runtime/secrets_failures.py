"""Why a secrets backend could not answer, and what its owner does about it: rules over a vendor's exception.

An exception is judged by its class names and codes, so that no vendor's package is imported. What it says is not repeated
where it may quote a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, NamedTuple


class Kind(str, Enum):
    """What is wrong, as far as the remedy depends on it."""

    DENIED = "denied"
    UNAUTHENTICATED = "unauthenticated"
    AWAY = "away"
    SLOW = "slow"
    THROTTLED = "throttled"
    SEALED = "sealed"
    OTHER = "other"


class Failure(NamedTuple):
    """One that a task's log or the doctor shows."""

    kind: Kind
    cause: str
    remedy: str


_BY_CODE: Final = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"), Kind.DENIED),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "IDPCommunicationError",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidIdentityToken",
            "InvalidIdentityTokenException",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Kind.UNAUTHENTICATED,
    ),
    **dict.fromkeys(
        ("LimitExceededException", "RequestLimitExceeded", "ThrottledException", "Throttling", "ThrottlingException"),
        Kind.THROTTLED,
    ),
}  # fmt: skip
"""AWS's error codes."""

_BY_STATUS: Final = {
    401: Kind.UNAUTHENTICATED,
    403: Kind.DENIED,
    408: Kind.SLOW,
    429: Kind.THROTTLED,
    503: Kind.AWAY,
    504: Kind.SLOW,
}

_BY_CLASS: Final = {
    **dict.fromkeys(("Forbidden", "PermissionDenied"), Kind.DENIED),
    **dict.fromkeys(
        (
            "ClientAuthenticationError",
            "CredentialRetrievalError",
            "CredentialUnavailableError",
            "DefaultCredentialsError",
            "InvalidRequest",
            "NoCredentialsError",
            "PartialCredentialsError",
            "RefreshError",
            "TokenRetrievalError",
            "Unauthenticated",
            "Unauthorized",
            "UnauthorizedSSOTokenError",
        ),
        Kind.UNAUTHENTICATED,
    ),
    **dict.fromkeys(
        (
            "ConnectTimeout",
            "ConnectTimeoutError",
            "DeadlineExceeded",
            "GatewayTimeout",
            "ReadTimeout",
            "ReadTimeoutError",
            "RetryError",
            "ServiceRequestTimeoutError",
            "ServiceResponseTimeoutError",
            "Timeout",
            "TimeoutError",
        ),
        Kind.SLOW,
    ),
    **dict.fromkeys(("RateLimitExceeded", "ResourceExhausted", "TooManyRequests"), Kind.THROTTLED),
    "VaultDown": Kind.SEALED,
    "VaultNotInitialized": Kind.SEALED,
    **dict.fromkeys(
        (
            "ConnectionError",
            "ConnectionRefusedError",
            "ConnectionResetError",
            "EndpointConnectionError",
            "NewConnectionError",
            "ProxyConnectionError",
            "ProxyError",
            "SSLError",
            "ServiceRequestError",
            "ServiceUnavailable",
            "TransportError",
            "gaierror",
        ),
        Kind.AWAY,
    ),
}  # fmt: skip
"""Class names of botocore, Azure's, Google's and hvac's exceptions, and of those below them."""

_REMEDIES: Final = {
    Kind.DENIED: "Give the identity of this site's tasks the right to read this secret: {right}",
    Kind.UNAUTHENTICATED: "Check the credentials of this site's tasks, and when they expire: {identity}",
    Kind.AWAY: "Check the address, DNS, proxy, firewall and certificates between this site and {service}",
    Kind.SLOW: "{service} did not answer in time: check its load and the network between",
    Kind.THROTTLED: "{service} limits the requests of this site: raise the quota, or set secrets_cache_seconds in the agent's settings",
    Kind.SEALED: "Unseal {service}, or wait until it is active",
    Kind.OTHER: "Check [secrets] backend and backend_kwargs of the task environment",
}


class _Vendor(NamedTuple):
    service: str
    right: str
    identity: str


_VENDORS: Final = {
    "SecretsManagerBackend": _Vendor(
        "AWS Secrets Manager",
        "secretsmanager:GetSecretValue, and kms:Decrypt where a key of your own encrypts it",
        "keys in the environment, the role of the service account, or the role of the machine",
    ),
    "SystemsManagerParameterStoreBackend": _Vendor(
        "AWS Systems Manager Parameter Store",
        "ssm:GetParameter, and kms:Decrypt where a key of your own encrypts it",
        "keys in the environment, the role of the service account, or the role of the machine",
    ),
    "AzureKeyVaultBackend": _Vendor(
        "Azure Key Vault",
        "the role Key Vault Secrets User on the vault",
        "AZURE_CLIENT_ID and AZURE_TENANT_ID, the federated token file, or the managed identity",
    ),
    "CloudSecretManagerBackend": _Vendor(
        "Google Secret Manager",
        "the role roles/secretmanager.secretAccessor on the secret",
        "GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine or the pod",
    ),
    "VaultBackend": _Vendor(
        "Vault",
        "a policy with the capability read on this path",
        "the token, role_id and secret_id, or the role of the Kubernetes auth method",
    ),
}
_ANY: Final = _Vendor("the secrets backend", "see the backend's page", "see the backend's page")


def explain(backend: str, error: BaseException) -> Failure:
    """What an exception of a backend of that class means."""
    vendor = _VENDORS.get(backend, _ANY)
    kind, found = _judge(error)
    remedy = _REMEDIES[kind].format(**vendor._asdict())
    return Failure(kind, _words(found), remedy)


def service(backend: str) -> str:
    """The product's name; the class's where it is none that is known."""
    return _VENDORS[backend].service if backend in _VENDORS else backend


def is_missing(error: BaseException) -> bool:
    """Whether it says that there is no such secret."""
    response: Any = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return code == "ResourceNotFoundException" or type(error).__name__ == "NotFound"


def _judge(error: BaseException) -> tuple[Kind, BaseException]:
    """The kind, as the innermost exception tells it that is known, and the outermost that is: it says most of where."""
    known = [(kind, each) for each in _chain(error) if (kind := _kind(each)) is not None]
    return (known[-1][0], known[0][1]) if known else (Kind.OTHER, error)


def _kind(error: BaseException) -> Kind | None:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore.exceptions.ClientError
        found = _BY_CODE.get(str(response.get("Error", {}).get("Code", "")))
        return found or _BY_STATUS.get(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if type(error).__name__ == "Forbidden" and str(error).rstrip().endswith(
        "/login"
    ):  # of Vault, no right is meant
        return Kind.UNAUTHENTICATED
    for cls in type(error).__mro__:
        if cls.__name__ in _BY_CLASS:
            return _BY_CLASS[cls.__name__]
    status = getattr(error, "status_code", None)
    return _BY_STATUS.get(status) if isinstance(status, int) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split()).removeprefix("1 error occurred: * ")[
        :300
    ]  # Vault's errors have lines
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
