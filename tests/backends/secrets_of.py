"""The secrets backends: how each is set up as its page says, what its owner keeps there, and how it fails."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import pages
from support.cloud import aws, google_secret_manager, key_vault
from support.cloud.aws import Moto
from support.cloud.key_vault import KeyVault
from support.cloud.namespace import Answer, Cloud
from support.cloud.openbao import OpenBao
from support.cloud.server import Servers
from support.cloud.token_review import TokenReview
from support.environments import of_cloud
from tradewind.embedded.processes import LocalProcess, wait_until

ROLE = f"arn:aws:iam::{aws.ACCOUNT}:role/airflow-site"


class Backend(ABC):
    """One kind of backend, used inside `with`. The secrets of a test are put before its site starts."""

    name: str
    extra: str  # of tradewind-runtime
    page: str
    sample = 0  # which sample of the agent's settings
    service: str  # as a log calls it
    throttled = "limits the requests of this site"

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.cloud, self.servers, self.home = cloud, servers, home

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027
        """Nothing of its own runs."""

    def variables(self) -> dict[str, str]:
        """What the owner sets: the page's sample, and the identity of the tasks."""
        return {**pages.environment(self.page, self.sample), **self.identity()}

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """The variables that a cloud, or an owner, gives the tasks."""

    @property
    @abstractmethod
    def known_as(self) -> str:
        """What the doctor says of the identity."""

    @abstractmethod
    def put(self, kind: str, name: str, value: str) -> None:
        """Keep a connection (its URI) or a variable, as the page says."""

    @abstractmethod
    def denied(self) -> AbstractContextManager[None]:
        """The identity has no right."""

    @abstractmethod
    def throttling(self) -> AbstractContextManager[None]:
        """There are too many requests."""

    @abstractmethod
    def rotate(self) -> None:
        """From now on the old credential is refused; the tasks' place for it has a new one."""

    def away(self) -> AbstractContextManager[None]:
        return self.cloud.away()

    def slow(self, seconds: float) -> AbstractContextManager[None]:
        return self.cloud.late(seconds)


class SecretsManager(Backend):
    """By the role of a service account (IRSA)."""

    name, extra, page, service = "aws-secrets", "amazon", "site-on-aws.md", "AWS Secrets Manager"
    host = "secretsmanager.eu-west-1.amazonaws.com"

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        super().__init__(cloud, servers, home)
        self.moto = servers.get(Moto)
        self.token = home / "token"
        self.token.write_text("first")
        self.refused: set[str] = set()

    def __enter__(self) -> Backend:
        self.cloud.fault = self._sts
        return self

    def __exit__(self, *_: object) -> None:
        self.cloud.fault = None

    def identity(self) -> dict[str, str]:
        return {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token),
            "AWS_ROLE_SESSION_NAME": "a-pod",
            "AWS_DEFAULT_REGION": aws.REGION,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "AWS_MAX_ATTEMPTS": "2",
        }

    @property
    def known_as(self) -> str:
        return f"arn:aws:sts::{aws.ACCOUNT}:assumed-role/airflow-site/a-pod"

    def put(self, kind: str, name: str, value: str) -> None:
        secret = {"Name": f"airflow/{kind}s/{name}", "SecretString": value}
        self.moto.calls(("secretsmanager", "create_secret", secret))

    def denied(self) -> AbstractContextManager[None]:
        said = f"User: {self.known_as} is not authorized to perform this action"
        return self._refusing(aws.refusal("AccessDeniedException", said))

    def throttling(self) -> AbstractContextManager[None]:
        return self._refusing(aws.refusal("ThrottlingException", "Rate exceeded"))

    def rotate(self) -> None:
        self.refused.add("first")
        self.token.write_text("second")

    @contextmanager
    def _refusing(self, answer: Answer) -> Iterator[None]:
        def fault(path: str, body: bytes) -> Answer | None:
            return answer if path.startswith(self.host) else self._sts(path, body)

        self.cloud.fault = fault
        yield
        self.cloud.fault = self._sts

    def _sts(self, path: str, body: bytes) -> Answer | None:
        """AWS's answer to a token that does not hold; moto takes any."""
        if path.startswith("sts.") and any(
            f"WebIdentityToken={one}".encode() in body for one in self.refused
        ):
            return aws.sts_refusal("InvalidIdentityToken", "The token is not accepted")
        return None


class ParameterStore(SecretsManager):
    name, sample, service = "aws-parameters", 1, "AWS Systems Manager Parameter Store"
    host = "ssm.eu-west-1.amazonaws.com"

    def put(self, kind: str, name: str, value: str) -> None:
        parameter = {"Name": f"/airflow/{kind}s/{name}", "Value": value, "Type": "SecureString"}
        self.moto.calls(("ssm", "put_parameter", parameter))


class AzureKeyVault(Backend):
    """By workload identity: a service account's token is exchanged at Microsoft Entra."""

    name, extra, page, service = "azure", "azure", "site-on-azure.md", "Azure Key Vault"

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        super().__init__(cloud, servers, home)
        self.vault = KeyVault()
        self.token = home / "token"
        self.token.write_text("first")
        self.vault.assertions.add("first")

    def __enter__(self) -> Backend:
        self.vault.__enter__()
        for name in (key_vault.VAULT, key_vault.ENTRA):
            self.cloud.routes[name] = self.vault.url
        return self

    def __exit__(self, *_: object) -> None:
        self.vault.__exit__()

    def identity(self) -> dict[str, str]:
        return {
            "AZURE_CLIENT_ID": key_vault.CLIENT,
            "AZURE_TENANT_ID": key_vault.TENANT,
            "AZURE_FEDERATED_TOKEN_FILE": str(self.token),
            "AZURE_AUTHORITY_HOST": f"https://{key_vault.ENTRA}/",
        }

    @property
    def known_as(self) -> str:
        return f"client {key_vault.CLIENT}"

    def put(self, kind: str, name: str, value: str) -> None:
        self.vault.secrets[f"airflow-{kind}s-{name.replace('_', '-')}"] = value

    @contextmanager
    def denied(self) -> Iterator[None]:
        self.vault.denied.add(key_vault.CLIENT)
        yield
        self.vault.denied.clear()

    @contextmanager
    def throttling(self) -> Iterator[None]:
        self.vault.throttled = True
        yield
        self.vault.throttled = False

    def rotate(self) -> None:
        self.vault.assertions.clear()
        self.vault.tokens.clear()
        self.vault.assertions.add("second")
        self.token.write_text("second")


class GoogleSecretManager(Backend):
    """By the key of a service account, which signs tokens itself."""

    name, extra, page, service = "google", "google", "site-on-google-cloud.md", "Google Secret Manager"
    host = "secretmanager.googleapis.com"
    account = "airflow-site@my-project.iam.gserviceaccount.com"

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        super().__init__(cloud, servers, home)
        self.state = home / "state.json"
        self._now: dict[str, object] = {"secrets": {}, "fault": ""}
        self._write()
        self.server = self._process()

    def _process(self) -> LocalProcess:
        address = f"{self.cloud.second}:443"
        certificate, key = self.cloud.certificate
        arguments = [google_secret_manager.__file__, address, certificate, key, self.state]
        log = self.home / "google-secret-manager.log"
        return LocalProcess(
            "google-secret-manager", [of_cloud("google"), *map(str, arguments)], env={}, log=log
        )

    def __enter__(self) -> Backend:
        self.server.start()
        listens = ["bash", "-c", f"exec 3<>/dev/tcp/{self.cloud.second}/443"]
        wait_until(
            lambda: subprocess.run(listens, capture_output=True).returncode == 0,
            timeout=60,
            what="Secret Manager listens",
            processes=[self.server],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop(grace=1)

    def identity(self) -> dict[str, str]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "1",
            "private_key": text.decode(),
            "client_email": self.account,
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        (self.home / "key.json").write_text(json.dumps(account))
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(self.home / "key.json"), "GRPC_DNS_RESOLVER": "native"}

    @property
    def known_as(self) -> str:
        return self.account

    def put(self, kind: str, name: str, value: str) -> None:
        secrets = self._now["secrets"]
        assert isinstance(secrets, dict)
        secrets[f"projects/my-project/secrets/airflow-{kind}s-{name}/versions/latest"] = value
        self._write()

    @contextmanager
    def _fault(self, fault: str) -> Iterator[None]:
        self._now["fault"] = fault
        self._write()
        yield
        self._now["fault"] = ""
        self._write()

    def _write(self) -> None:
        new = self.state.with_suffix(".new")
        new.write_text(json.dumps(self._now))
        new.rename(self.state)

    def denied(self) -> AbstractContextManager[None]:
        return self._fault("PERMISSION_DENIED")

    def throttling(self) -> AbstractContextManager[None]:
        return self._fault("RESOURCE_EXHAUSTED")

    def slow(self, seconds: float) -> AbstractContextManager[None]:
        return self._fault(f"slow:{seconds}")

    @contextmanager
    def away(self) -> Iterator[None]:
        self.__exit__()
        yield
        self.server = self._process()
        self.__enter__()

    def rotate(self) -> None:
        self.identity()  # another key for the same account


class VaultByAppRole(Backend):
    """A real OpenBao. The policy is the page's."""

    name, extra, page, service = "vault-approle", "hashicorp", "secrets-in-vault.md", "Vault"
    sample = 1

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        super().__init__(cloud, servers, home)
        self.bao = servers.get(OpenBao)

    def __enter__(self) -> Backend:
        [policy] = pages.blocks(self.page, "hcl")
        self.bao.ask("PUT", "sys/policies/acl/airflow-site", {"policy": policy})
        if "approle/" not in self.bao.ask("GET", "sys/auth"):
            self.bao.ask("POST", "sys/auth/approle", {"type": "approle"})
        role = {"token_policies": "airflow-site", "token_ttl": "1h"}
        self.bao.ask("POST", "auth/approle/role/airflow-site", role)
        self.bao.ask("POST", "auth/approle/role/airflow-site/role-id", {"role_id": "airflow-site"})
        return self

    def new_secret_id(self) -> str:
        answer = self.bao.ask("POST", "auth/approle/role/airflow-site/secret-id")
        return str(answer["data"]["secret_id"])

    def identity(self) -> dict[str, str]:
        self.secret_id = self.new_secret_id()
        return {"AIRFLOW__SECRETS__BACKEND_KWARG__SECRET_ID": self.secret_id}

    @property
    def known_as(self) -> str:
        return "policies airflow-site, default"

    def put(self, kind: str, name: str, value: str) -> None:
        key = "conn_uri" if kind == "connection" else "value"
        self.bao.put(f"airflow/{kind}s/{name}", **{key: value})

    @contextmanager
    def denied(self) -> Iterator[None]:
        [policy] = pages.blocks(self.page, "hcl")
        self.bao.ask("PUT", "sys/policies/acl/airflow-site", {"policy": policy.replace('"read"', '"deny"')})
        yield
        self.bao.ask("PUT", "sys/policies/acl/airflow-site", {"policy": policy})

    @contextmanager
    def throttling(self) -> Iterator[None]:
        limit = {"rate": 0.001, "interval": "1h", "path": "secret/"}
        self.bao.ask("POST", "sys/quotas/rate-limit/tests", limit)
        while self.bao.status("secret/data/airflow/any") != 429:
            pass  # each address has one request
        yield
        self.bao.ask("DELETE", "sys/quotas/rate-limit/tests")

    def rotate(self) -> None:
        """The secret id is in the environment of the tasks, so what is replaced is the token that it gave."""
        accessors = self.bao.ask("LIST", "auth/token/accessors")["data"]["keys"]
        for each in accessors:
            about = self.bao.ask("POST", "auth/token/lookup-accessor", {"accessor": each})["data"]
            if "airflow-site" in about["policies"]:
                self.bao.ask("POST", "auth/token/revoke-accessor", {"accessor": each})


class VaultByKubernetes(VaultByAppRole):
    """The same server, which asks a Kubernetes API (in small: it reviews tokens) about a service account's token."""

    name, sample = "vault-kubernetes", 0

    def __init__(self, cloud: Cloud, servers: Servers, home: Path) -> None:
        super().__init__(cloud, servers, home)
        self.reviews = TokenReview()
        self.token = home / "token"
        self.token.write_text(self.reviews.new_token())

    def __enter__(self) -> Backend:
        super().__enter__()
        self.reviews.__enter__()
        if "kubernetes/" not in self.bao.ask("GET", "sys/auth"):
            self.bao.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        config = {
            "kubernetes_host": self.reviews.url,
            "token_reviewer_jwt": "of-the-vault",
            "kubernetes_ca_cert": self.cloud.ca_file.read_text(),
        }
        self.bao.ask("POST", "auth/kubernetes/config", config)
        role = {
            "bound_service_account_names": "airflow-site",
            "audience": "vault",
            "bound_service_account_namespaces": "airflow",
            "token_policies": "airflow-site",
            "token_ttl": "1h",
        }
        self.bao.ask("POST", "auth/kubernetes/role/airflow-site", role)
        return self

    def __exit__(self, *_: object) -> None:
        self.reviews.__exit__()

    def identity(self) -> dict[str, str]:
        return {"AIRFLOW__SECRETS__BACKEND_KWARG__KUBERNETES_JWT_PATH": str(self.token)}

    def rotate(self) -> None:
        super().rotate()
        self.reviews.good.clear()
        self.token.write_text(self.reviews.new_token())


class VaultByToken(VaultByAppRole):
    """The same server, with a token in a file. It would expire while the tests run, unless the agent's processes renew it."""

    name, sample = "vault-token", 2

    def identity(self) -> dict[str, str]:
        self.token = self.home / "token"
        self.token.write_text(self._new_token())
        return {"AIRFLOW__SECRETS__BACKEND_KWARG__TOKEN_PATH": str(self.token)}

    def rotate(self) -> None:
        super().rotate()
        self.token.write_text(self._new_token())

    def _new_token(self) -> str:
        made = self.bao.ask("POST", "auth/token/create", {"policies": ["airflow-site"], "period": "90s"})
        return str(made["auth"]["client_token"])


ALL = (
    SecretsManager,
    ParameterStore,
    AzureKeyVault,
    GoogleSecretManager,
    VaultByAppRole,
    VaultByKubernetes,
    VaultByToken,
)

NAMES = {
    SecretsManager.host: "",
    ParameterStore.host: "",
    "sts.eu-west-1.amazonaws.com": "",
    key_vault.VAULT: "",
    key_vault.ENTRA: "",
    "vault.example.com": "",
}
"""Names of the cloud, whose servers are started with their backend."""
