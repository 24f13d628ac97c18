"""An orchestration plane as local processes: `airflow db migrate`, API servers, schedulers. Nothing else."""

from __future__ import annotations

import configparser
import json
import os
import secrets
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import httpx

from tradewind.embedded import processes
from tradewind.embedded.home_files import HomeFiles
from tradewind.embedded.plane_keys import new_keys

REMOTE_EXECUTOR = "tradewind_provider.executor.RemoteExecutor"

_KEYS = (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret"))


def free_port() -> int:
    """A TCP port of the loopback interface that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class PlaneSettings:
    """What a local plane is made of."""

    home: Path  # AIRFLOW_HOME; made when missing
    interpreter: Path  # of the environment that has Airflow and tradewind-provider
    port: int = 0  # of the first API server; 0: any free one
    database: str | None = None  # SQLAlchemy URL; None: a SQLite file in `home`
    executor: str = REMOTE_EXECUTOR
    api_servers: int = 1
    schedulers: int = 1
    stock: bool = False  # also run Airflow's own dag processor and triggerer here: the peer in a comparison
    options: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # more of airflow.cfg: section → key → value
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # more variables
    user: int | None = None  # run as this user id
    own_sign_in: bool = (
        True  # SimpleAuthManager and a file of passwords; False: `options` name another auth manager
    )
    patience: float = 120  # seconds for its start


class Plane:
    """A plane that runs until `stop`. A context manager: everything it started is gone afterwards."""

    def __init__(self, settings: PlaneSettings) -> None:
        self.settings = settings
        self.home = settings.home
        self.ports = [settings.port or free_port(), *(free_port() for _ in range(settings.api_servers - 1))]
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("admin", "op", "viewer")}
        self.api_servers: list[processes.LocalProcess] = []
        self.schedulers: list[processes.LocalProcess] = []
        self.others: list[processes.LocalProcess] = []
        self._tokens: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process of the plane. No secret but those of `environment`: the others are in airflow.cfg,
        readable by its owner."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "TRADEWIND", "_AIRFLOW"))
        }
        found = {**kept, **self.settings.environment, "AIRFLOW_HOME": str(self.home)}
        if self.settings.user is not None:
            # Airflow asks for a user name, and an id without an account has none but this one.
            name = f"uid-{self.settings.user}"
            found |= {"HOME": str(self.home), "LOGNAME": name, "USER": name}
        return found

    @property
    def all_processes(self) -> list[processes.LocalProcess]:
        return [*self.api_servers, *self.schedulers, *self.others]

    def __enter__(self) -> Plane:
        try:
            self.configure()
            self.migrate()
            self.start(timeout=self.settings.patience)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def configure(self) -> None:
        """Write airflow.cfg and the sign-in file. A home that was configured before keeps its keys and passwords."""
        self.home.mkdir(parents=True, exist_ok=True)
        files = HomeFiles(self.home, self.settings.user)
        passwords = self.home / "passwords.json"
        if not self.settings.own_sign_in:
            passwords.unlink(missing_ok=True)
        else:
            if kept := files.read(passwords.name):
                self.passwords = json.loads(kept)
            files.write(passwords.name, json.dumps(self.passwords))
        before = configparser.ConfigParser(interpolation=None)
        before.read_string(files.read("airflow.cfg"))
        config = configparser.ConfigParser(interpolation=None)
        config.read_dict(self._options(passwords))
        for section, key in _KEYS:
            if before.has_option(section, key):
                config.set(section, key, before.get(section, key))
        for section, values in self.settings.options.items():
            for key, value in values.items():
                if not config.has_section(section):
                    config.add_section(section)
                config.set(section, key, value)
        text = StringIO()
        config.write(text)
        files.write("airflow.cfg", text.getvalue())
        if self.settings.user is not None:
            os.chown(self.home, self.settings.user, self.settings.user)
            self.home.chmod(0o700)

    def _options(self, passwords: Path) -> dict[str, dict[str, str]]:
        keys = new_keys()
        database = self.settings.database or f"sqlite:///{self.home}/airflow.db"
        sign_in = {
            "simple_auth_manager_users": "admin:admin,op:op,viewer:viewer",
            "simple_auth_manager_passwords_file": str(passwords),
        }
        return {
            "core": {
                "executor": self.settings.executor,
                "load_examples": "False",
                "fernet_key": keys.fernet,
                "execution_api_server_url": f"{self.url}/execution/",
                **(sign_in if self.settings.own_sign_in else {}),
            },
            "database": {"sql_alchemy_conn": database},
            "api": {
                "base_url": self.url,
                "secret_key": keys.api,
                "host": "127.0.0.1",
                "workers": "1",
            },
            "tradewind": {"agent_url": self.url},
            # what a scheduler that died was told is heard by the next one
            "scheduler": {"orphaned_tasks_check_interval": "30"},
            "api_auth": {"jwt_secret": keys.jwt},
            "dag_processor": {"dag_bundle_config_list": "[]"},
            "logging": {"base_log_folder": str(self.home / "logs")},
        }

    def migrate(self) -> None:
        """Create or upgrade the metadata database, our tables included. Idempotent."""
        self.home.mkdir(parents=True, exist_ok=True)
        HomeFiles(self.home, self.settings.user).make_directory("logs")
        processes.run_to_end(self._process("migrate", ["db", "migrate"]), timeout=180)

    def start(self, *, timeout: float = 120) -> None:
        """Start every process and return once each API server answers its health page."""
        for process in self.prepare():
            process.start()
        self.wait_ready(timeout=timeout)

    def prepare(self) -> list[processes.LocalProcess]:
        """Every process of the plane, not started yet."""
        for number, port in enumerate(self.ports, start=1):
            command = ["api-server", "--host", "127.0.0.1", "--port", str(port)]
            self.api_servers.append(self._process(f"api-server-{number}", command))
        for number in range(1, self.settings.schedulers + 1):
            self.schedulers.append(self._process(f"scheduler-{number}", ["scheduler"]))
        if self.settings.stock:
            self.others = [self._process(name, [name]) for name in ("dag-processor", "triggerer")]
        return self.all_processes

    def _process(self, name: str, arguments: list[str]) -> processes.LocalProcess:
        """`airflow <arguments>`, not started yet."""
        return processes.LocalProcess(
            name,
            [self.settings.interpreter, "-m", "airflow", *arguments],
            env=self.env,
            log=self.home / "logs" / f"{name}.log",
            user=self.settings.user,
            cwd=self.home,
        )

    def wait_ready(self, *, timeout: float = 120) -> None:
        """Return once each API server answers and a scheduler has sent its first heartbeat."""
        for port in self.ports:
            processes.wait_until(
                lambda port=port: _healthy(port, scheduler=bool(self.schedulers)),
                timeout=timeout,
                what=f"the API server on port {port} and a scheduler are healthy",
                processes=self.all_processes,
            )

    def stop(self) -> None:
        """Stop everything. Idempotent."""
        for process in self.all_processes:
            process.signal(signal.SIGTERM)
        for process in self.all_processes:
            process.stop(grace=15)

    def sign_in(self, user: str = "admin") -> str:
        """An Airflow API token of that user."""
        if user not in self._tokens:
            answer = httpx.post(
                f"{self.url}/auth/token",
                json={"username": user, "password": self.passwords[user]},
                timeout=30,
            )
            answer.raise_for_status()
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

    def client(self, user: str = "admin", *, port: int | None = None) -> httpx.Client:
        """A signed-in HTTP client for Airflow's REST API (`/api/v2/…`) and the operator API (`/tradewind/v1/…`)."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{port}" if port else self.url,
            headers={"Authorization": f"Bearer {self.sign_in(user)}"},
            timeout=60,
        )


def _healthy(port: int, *, scheduler: bool) -> bool:
    try:
        # Asked again and again, without TLS: to read all authorities of the machine would take most of the time.
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=10, verify=False)
        health = answer.json()
    except (httpx.HTTPError, ValueError):
        return False
    if answer.status_code != 200:
        return False
    return not scheduler or health.get("scheduler", {}).get("status") == "healthy"
