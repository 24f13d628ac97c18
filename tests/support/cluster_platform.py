"""A platform beside the test's cluster, in the node's network: its command, the user's commands, and an agent's way there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.authority import Authority
from support.cluster import NODE_IP, Cluster, wait
from tradewind.embedded.processes import LocalProcess

_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'


class ClusterPlatform:
    """`tradewind platform run` at an address that pods reach. Its processes have a file of host names of their own."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.url = "https://platform.test:8700"
        self.authority = Authority(folder / "authority", "a test")
        self.token_file = folder / "token"
        self.namespaces: list[str] = []  # of controllers
        self.hosts = folder / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost\n{NODE_IP} platform.test\n")
        certificate, key = self.authority.certificate("platform.test")
        self.process = LocalProcess(
            "platform",
            self.inside(
                *(sys.executable, "-m", "tradewind", "platform", "run", "--home", str(folder / "home")),
                *("--listen", f"{NODE_IP}:8700", "--url", self.url),
                *("--certificate", str(certificate), "--key", str(key)),
                *("--agents-host", "local.test", "--people-domain", "people.test", "--first-user", "0"),
            ),
            env=self.env,
            log=folder / "platform.log",
        )

    @property
    def env(self) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        return {**known, "SSL_CERT_FILE": str(self.authority.file)}

    def inside(self, *command: str) -> list[str]:
        """A command in the node's network, with the host names of this platform."""
        node = ("nsenter", "--net=/run/netns/k8snode", "unshare", "--mount")
        return [*node, "sh", "-c", _HOSTS, str(self.hosts), *command]

    def start(self) -> None:
        self.process.start()
        ready = [sys.executable, "-c", f"import httpx; httpx.get('{self.url}/healthz').raise_for_status()"]

        def answers() -> bool:
            assert self.process.running, self.process.tail()
            return not self.run(*ready, fails=None).startswith("failed")

        wait(answers, timeout=120, what=lambda: self.process.tail())
        home = str(self.folder / "home")
        self.command("platform", "admin", "create", "ada", "--home", home, "--to-file", str(self.token_file))

    def command(self, *arguments: str) -> str:
        """What a `tradewind` command prints."""
        return self.run(sys.executable, "-m", "tradewind", *arguments)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command("-o", "json", *arguments))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request to the platform's API as the administrator: the status, and the answer."""
        script = (
            "import httpx, json, pathlib, sys\n"
            "method, url, token, body = sys.argv[1:]\n"
            "headers = {'Authorization': 'Bearer ' + pathlib.Path(token).read_text().strip()}\n"
            "answer = httpx.request(method, url, headers=headers, json=json.loads(body), timeout=60)\n"
            "print(json.dumps([answer.status_code, answer.text]))\n"
        )
        said = self.run(
            *(sys.executable, "-c", script, method, self.url + path, str(self.token_file), json.dumps(body))
        )
        status, text = json.loads(said)
        return status, json.loads(text) if text.startswith(("{", "[")) else text

    def run(self, *command: str, fails: bool | None = False) -> str:
        """Output of a command in the node's network. `fails` None: begins with `failed` when it does."""
        env = {
            **self.env,
            "TRADEWIND_PLATFORM_URL": self.url,
            "TRADEWIND_API_TOKEN_FILE": str(self.token_file),
            "TRADEWIND_CA_FILE": str(self.authority.file),
        }
        done = subprocess.run(self.inside(*command), env=env, text=True, capture_output=True, check=False)
        if fails is None:
            return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.process.tail()}"
        return done.stdout

    def add_cluster(self, name: str) -> None:
        self.command(
            *(
                "clusters",
                "add",
                name,
                "--agents-host",
                "{id}.external.test",
                "--people-domain",
                "{id}.apps.test",
            ),
            *("--to-file", str(self._cluster_token(name))),
        )

    def slug(self, cluster: str) -> str:
        """The id of a cluster that was added, as people see it."""
        return str(self.json("clusters", "get", cluster)["slug"])

    def cluster_token(self, name: str) -> str:
        return self._cluster_token(name).read_text().strip()

    def _cluster_token(self, name: str) -> Path:
        return self.folder / f"cluster-token-{name}"

    def name(self, address: str, host: str) -> None:
        """Commands of this platform find the host there."""
        with self.hosts.open("a") as hosts:
            hosts.write(f"{address} {host}\n")

    def stop(self) -> None:
        """End it, and its controllers with it."""
        self.process.stop()
        for namespace in self.namespaces:
            self.cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")
