"""What a Deployment is on this machine: its home, user, port and Airflow."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tradewind.embedded.home_files import HomeFiles, LinkFound
from tradewind.embedded.plane import Plane, PlaneSettings, free_port
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.local.code import DeployedCode
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_platform.services import deployment_credentials
from tradewind_protocol.access import AUTH_MANAGER, TOKEN_SECONDS
from tradewind_protocol.errors import Code, Refused

_SCRIPT: Final = 300.0  # seconds

_CREDENTIAL: Final = "platform-credential"
_CERTIFICATE: Final = "platform-certificate.pem"


class Planes:
    """Each Deployment has a directory below `home` of the settings, for its user only."""

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.databases = Databases(settings.database_url) if settings.database_url is not None else None
        self.code = DeployedCode(settings)
        self._lock = threading.Lock()  # of the ports

    def home(self, document: Document) -> Path:
        return self.settings.home / "deployments" / document.slug

    def files(self, document: Document) -> HomeFiles:
        """Of its home. Whatever its user has put there, no other file of the machine is meant."""
        return HomeFiles(self.home(document), self.user(document))

    def user(self, document: Document) -> int | None:
        return None if self.settings.first_user is None else self.settings.first_user + document.number

    def address(self, slug: str) -> str:
        """Where its API server listens. Raises Refused UNAVAILABLE for one that was never configured."""
        try:
            return f"http://127.0.0.1:{json.loads(self._record(slug).read_text(encoding='utf-8'))['port']}"
        except FileNotFoundError:
            raise Refused(Code.UNAVAILABLE, f"the Deployment {slug} has no process yet") from None

    def plane(self, document: Document) -> Plane:
        """Its Airflow, as the document says."""
        database = None
        if self.databases is not None:
            url = self.databases.url(document.slug, document.secrets["database_password"])
            database = url.render_as_string(hide_password=False)
        return Plane(
            PlaneSettings(
                home=self.home(document),
                interpreter=self.python(document),
                port=self.port(document),
                database=database,
                options=_merged(document.configuration, self._options(document)),
                environment={**document.environment, **self.code.variables(document)},
                user=self.user(document),
                own_sign_in=False,
            )
        )

    def python(self, document: Document) -> Path:
        """Of the environment that was deployed to it, else of that with the version that the document asks for. Raises
        StepFailed."""
        if (own := self.code.python(document)) is not None:
            return own
        version = document.spec.get("version")
        if not version:
            return self.settings.plane_python
        try:
            return self.settings.environments[version]
        except KeyError:
            raise StepFailed(
                f"this machine has no environment with Airflow {version}; start the platform with one more --plane-python",
                final=True,
            ) from None

    def default_version(self) -> str:
        """Of the environment that a Deployment without a version has."""
        wanted = self.settings.plane_python
        return next((one for one, python in self.settings.environments.items() if python == wanted), "")

    def run(
        self,
        document: Document,
        script: str,
        *arguments: Path | str,
        whole: bool = False,
        patience: float = _SCRIPT,
    ) -> str:
        """What a script prints in the Deployment's environment, as its user: the last line, or `whole`. Raises StepFailed."""
        user = self.user(document)
        try:
            done = subprocess.run(
                [self.python(document), "-W", "ignore", "-c", script, *arguments],
                cwd=self.home(document),
                env=self.plane(document).env,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                capture_output=True,
                text=True,
                timeout=patience,
            )
        except subprocess.TimeoutExpired:
            raise StepFailed(f"a script did not end in {patience:g} s") from None
        if done.returncode != 0:
            raise StepFailed((done.stderr.strip().splitlines() or ["no output"])[-1][:500])
        return done.stdout if whole else (done.stdout.strip().splitlines() or [""])[-1]

    # ---- steps

    def database(self, document: Document) -> None:
        if self.databases is not None:
            self.databases.ensure(document.slug, document.secrets["database_password"])

    def configure(self, document: Document) -> None:
        home, user = self.home(document), self.user(document)
        _refuse_account(user)
        self.code.ensure(document)
        home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        home.chmod(0o700)
        if user is not None:
            os.chown(home, user, user)
        self._check_user(home, user, self.python(document))
        self.port(document)
        self._write(document, _CREDENTIAL, document.secrets[deployment_credentials.SECRET])
        if self.settings.certificate is not None:
            self._write(document, _CERTIFICATE, self.settings.certificate.read_text(encoding="utf-8"))
        try:
            self.plane(document).configure()
        except LinkFound as found:
            raise StepFailed(str(found), final=True) from None

    def migrate(self, document: Document) -> None:
        try:
            self.plane(document).migrate()
        except (RuntimeError, TimeoutError, LinkFound) as error:
            raise StepFailed(f"airflow db migrate: {str(error)[-1000:]}") from None

    def erase(self, document: Document) -> None:
        if self.databases is not None:
            self.databases.erase(document.slug)
        home = self.home(document)
        if home.exists():
            shutil.rmtree(home)
        self.code.forget(document)
        self._record(document.slug).unlink(missing_ok=True)

    # ---- parts

    def _options(self, document: Document) -> dict[str, dict[str, str]]:
        agents, home = self.settings.agents_host, self.home(document)
        return {
            "core": {"fernet_key": document.secrets["fernet"], "auth_manager": AUTH_MANAGER},
            "api": {
                "secret_key": document.secrets["api"],
                "base_url": document.people_url,
                "instance_name": document.name,
            },
            "api_auth": {
                "jwt_secret": document.secrets["jwt"],
                "jwt_audience": f"urn:tradewind:{document.id}",
                "jwt_expiration_time": str(TOKEN_SECONDS),
            },
            "tradewind": {
                "deployment": document.name,
                "agent_url": document.agent_url,
                # An address is no name that only agents use: the gateway alone keeps the ways apart then.
                "agent_hosts": "" if agents.replace(".", "").isdecimal() else agents,
                "trusted_proxies": "127.0.0.1",
                "endpoint_gateways": "127.0.0.1",
                "policy": document.spec["policy"],
                "managed_by": "platform",
                "deployment_id": str(document.id),
                "platform_url": self.settings.platform_url,
                "platform_credential_file": str(home / _CREDENTIAL),
                "platform_ca_file": "" if self.settings.certificate is None else str(home / _CERTIFICATE),
            },
        }

    def _write(self, document: Document, name: str, text: str) -> None:
        """A file that only the Deployment's user reads."""
        self.files(document).write(name, text)

    def _check_user(self, home: Path, user: int | None, interpreter: Path) -> None:
        """The Deployment's user can enter its home and run its Python. Raises StepFailed."""
        try:
            subprocess.run(
                [interpreter, "-c", "import tradewind_provider"],
                cwd=home,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                capture_output=True,
                check=True,
            )
        except PermissionError:
            raise StepFailed(
                f"the user id {user} cannot enter {home} or run {interpreter}: a directory above them is closed to it; "
                "choose a home below /var/lib and an environment below /opt",
                final=True,
            ) from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
            raise StepFailed(
                f"{interpreter} does not import tradewind_provider: {last}", final=True
            ) from None

    def _record(self, slug: str) -> Path:
        return self.settings.home / "ports" / f"{slug}.json"

    def port(self, document: Document) -> int:
        """The port of its API server: chosen once."""
        with self._lock:
            record = self._record(document.slug)
            if record.exists():
                return int(json.loads(record.read_text(encoding="utf-8"))["port"])
            taken = {
                json.loads(one.read_text(encoding="utf-8"))["port"] for one in record.parent.glob("*.json")
            }
            port = free_port()
            while port in taken:
                port = free_port()
            record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = record.with_suffix(".part")
            part.write_text(json.dumps({"port": port}), encoding="utf-8")
            part.replace(record)
            return port


def _merged(
    theirs: Mapping[str, Mapping[str, str]], ours: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Both; where both have an option, ours."""
    return {
        section: {**theirs.get(section, {}), **ours.get(section, {})} for section in sorted({*theirs, *ours})
    }


def _refuse_account(user: int | None) -> None:
    if user is None:
        return
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        return
    raise StepFailed(
        f"the user id {user} is that of the account {name}; start the platform with another --first-user",
        final=True,
    )
