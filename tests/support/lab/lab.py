"""The networks of docs/how-to/private-link.md, with a real plane and a real gateway in them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from support import installed
from support.authority import Authority
from support.deployment import new_token
from support.lab.namespaces import Namespaces
from support.network import Proxy
from support.patience import stretched
from tradewind.embedded.plane import Plane
from tradewind.embedded.processes import LocalProcess, wait_until

HERE = Path(__file__).parent
CLUSTER = "k3"
DOMAIN = "external.example.com"
HOST = f"{CLUSTER}.{DOMAIN}"
OTHER_HOST = f"k4.{DOMAIN}"
DEPLOYMENT = "d7k2m9qa"
URL = f"https://{HOST}/{DEPLOYMENT}"

PUBLIC = "20.50.0.10"  # of the gateway on the internet of the lab, which is cut off from the real one
PUBLIC_RESOLVER = "20.53.0.53"
GATEWAY = "10.90.0.20"
ENDPOINT = "10.20.0.5"  # in each customer's network: their addresses overlap
OTHER_CLUSTERS = "10.20.0.6"
SILENT = "10.20.0.7"  # an address of the endpoint in a zone of the cloud that lets nothing in

ENDPOINTS: Mapping[str, str] = {"a": "aws:vpce-08d2bf15fac5001c9", "b": "azure:3735928559"}

PLANE: Mapping[str, Mapping[str, str]] = {
    "tradewind": {"agent_url": URL, "agent_hosts": HOST, "endpoint_gateways": "127.0.0.1"},
    "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
}
"""Of the plane's airflow.cfg. The gateway's connections come from this machine itself."""

SITES: Mapping[str, str] = {
    "site-a": "10.20.1.10, behind the private endpoint of network a",
    "site-b": "10.20.1.10 too, behind the private endpoint of network b",
    "peered": "10.30.1.10, of a network that is peered with network a and shares its endpoint",
    "site-c": "20.60.0.10, reaches the plane over the internet",
}
_NETWORK_OF: Mapping[str, str] = {"site-a": "a", "site-b": "b", "peered": "peered"}


@dataclass
class Rules:
    """What the router of a customer's network lets through."""

    closed: bool = False  # the security group of the endpoint takes nothing
    intercept: bool = False  # TLS goes through the company's inspection
    idle: float | None = None  # seconds after which a connection without traffic is forgotten
    mtu: int | None = None  # of the way to the endpoint, and no router says so

    def text(self, internet: bool) -> str:
        forward = ["ct state established accept", "ct state invalid drop"] if self.idle is not None else []
        forward += [f"ip daddr {SILENT} drop"]
        forward += [f"ip daddr {ENDPOINT} tcp dport 443 drop"] if self.closed else []
        prerouting = f"ip daddr {ENDPOINT} tcp dport 443 redirect to :9443" if self.intercept else ""
        output = "icmp type destination-unreachable drop" if self.mtu is not None else ""
        masquerade = 'oifname "internet" masquerade' if internet else ""
        hooks = {
            "forward": ("filter hook forward priority 0", forward),
            "output": ("filter hook output priority 0", [output]),
            "prerouting": ("nat hook prerouting priority -100", [prerouting]),
            "postrouting": ("nat hook postrouting priority 100", [masquerade]),
        }
        chains = [
            "\n".join([f"chain {name} {{", f"type {hook};", *rules, "}"])
            for name, (hook, rules) in hooks.items()
        ]
        return "\n".join(["table ip lab {", *chains, "}", ""])


@dataclass
class Network:
    """A customer's network with its private endpoint."""

    name: str
    endpoint: str
    zone: str = "none"  # none: not linked; empty: linked, without a record; or the addresses of its record, with commas
    approved: bool = True
    exists: bool = True
    rules: Rules = field(default_factory=Rules)


class Lab:
    """A context manager: everything is gone afterwards.

    `finished`: each network begins with an approved endpoint and its zone. `plane`: one that runs already.
    """

    def __init__(self, directory: Path, prefix: str, *, finished: bool, plane: Plane | None = None) -> None:
        self.directory = directory
        self.spaces = Namespaces(prefix)
        self.networks = {
            name: Network(
                name,
                ENDPOINTS[name],
                zone=ENDPOINT if finished else "none",
                approved=finished,
                exists=finished,
            )
            for name in ENDPOINTS
        }
        self.peered_zone = ENDPOINT if finished else "none"
        self.authority = Authority(directory / "authority", "Authority of the lab")
        self.company = Authority(directory / "company", "Example Corp TLS inspection")
        self._programs: dict[str, LocalProcess] = {}
        self._stack = ExitStack()
        self._given = plane

    # ---- begin and end

    def __enter__(self) -> Lab:
        try:
            self._make_networks()
            self.plane = self._given or self._started()
            self._connect_the_plane()
            self._start_gateways()
            for name in self.networks:
                self._resolve(name)
                self._link(name)
            self._resolve("peered")
            self._resolve("internet")
            self._prepare_sites()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs.values():
            program.signal(signal.SIGTERM)
        for program in self._programs.values():
            program.stop(grace=40 if program.name.startswith("gateway") else 3)
        self._programs.clear()
        self._stack.close()
        self.spaces.remove()

    # ---- what a person does in a cloud's portal

    def create_endpoint(self, network: str, endpoint: str = "") -> None:
        """Make the private endpoint of a network, anew with another id when one is given. It waits for approval."""
        one = self.networks[network]
        one.exists, one.approved, one.endpoint = True, False, endpoint or one.endpoint
        self._link(network)

    def approve_endpoint(self, network: str, approved: bool = True) -> None:
        """The plane's owner approves or rejects it."""
        self.networks[network].approved = approved
        self._link(network)

    def delete_endpoint(self, network: str) -> None:
        self.networks[network].exists = False
        self._link(network)

    def link_zone(self, network: str, record: str = ENDPOINT) -> None:
        """`none`: no zone; `empty`: a zone without a record; else a zone whose record of HOST has those addresses."""
        if network == "peered":
            self.peered_zone = record
        else:
            self.networks[network].zone = record
        self._resolve(network)

    def route(self, network: str, rules: Rules) -> None:
        """Change what the router of a network lets through. Connections that exist go on under the new rules."""
        one, space = self.networks[network], f"net-{network}"
        one.rules = rules
        self.spaces.set(
            space,
            "net.netfilter.nf_conntrack_tcp_timeout_established",
            str(int(rules.idle)) if rules.idle is not None else "432000",
        )
        self.spaces.set(space, "net.netfilter.nf_conntrack_tcp_loose", "0" if rules.idle is not None else "1")
        self.spaces.run(space, "ip", "link", "set", "endpoint", "mtu", str(rules.mtu or 1500))
        self.spaces.rules(space, rules.text(internet=True))
        if rules.intercept:
            certificate, key = self.company.certificate(HOST)
            self._program(
                f"inspection-{network}",
                space,
                [
                    sys.executable,
                    HERE / "inspection.py",
                    "--listen",
                    "0.0.0.0:9443",
                    "--to",
                    f"{ENDPOINT}:443",
                ]
                + ["--certificate", certificate, "--key", key]
                + ["--ca", self.authority.file, "--name", HOST],
                port=("127.0.0.1", 9443),
            )
        else:
            self._end(f"inspection-{network}")

    def serve(self, *, names: str = HOST) -> None:
        """Let the gateway show a certificate for that name."""
        self._write_gateway(certificate=names)
        self._gateway("apply", check=True)

    # ---- what is asked of it

    def ask(
        self, site: str, *command: str | Path, timeout: float = 90, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command at a site."""
        whole = [*self.spaces.command(site), *map(str, command)]
        return subprocess.run(
            whole,
            capture_output=True,
            text=True,
            timeout=stretched(timeout),
            check=check,
            env=self.environment(site),
        )

    def environment(self, site: str) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "TRADEWIND"))
        }
        agents = installed.environments().agent.parent
        path = f"{self.directory / 'bin'}:{agents}:{kept['PATH']}:/usr/sbin:/sbin"
        return {
            **kept,
            "PATH": path,
            "CURL_CA_BUNDLE": str(self.authority.file),
            "TRADEWIND_AGENT_CONFIG": str(self.site(site) / "agent.toml"),
        }

    def doctor(self, site: str, *more: str, private: bool = True) -> dict[str, Any]:
        """The checks of `tradewind-agent doctor` at a site, by name; `verdict` is the whole one's. Without the look at a task
        environment, which takes longer than all the network."""
        agents = installed.environments().agent
        command = [agents, "-m", "tradewind_agent", "doctor", "--output", "json", "--interpreter", agents]
        expects = ["--expect-private"] if private else []
        said = self.ask(site, *command, *expects, *more)
        try:
            document = json.loads(said.stdout)
        except ValueError:
            raise AssertionError(said.stdout + said.stderr) from None
        return {"verdict": document["verdict"], **{each["check"]: each for each in document["checks"]}}

    def site(self, name: str) -> Path:
        return self.directory / name

    @property
    def programs(self) -> Mapping[str, LocalProcess]:
        return self._programs

    # ---- networks

    def _make_networks(self) -> None:
        spaces = self.spaces
        spaces.add("internet", forwards=True)
        spaces.run("internet", "ip", "address", "add", f"{PUBLIC_RESOLVER}/32", "dev", "lo")
        spaces.add("plane")
        spaces.cable(("plane", f"{PUBLIC}/24"), ("internet", "20.50.0.1/24"), names=("public", "plane"))
        spaces.route("plane", "20.50.0.1")
        spaces.run("plane", "ip", "link", "add", "cloud", "type", "bridge")
        spaces.run("plane", "ip", "address", "add", f"{GATEWAY}/24", "dev", "cloud")
        spaces.run("plane", "ip", "link", "set", "cloud", "up")
        spaces.add("site-c", resolver=PUBLIC_RESOLVER)
        spaces.cable(("site-c", "20.60.0.10/24"), ("internet", "20.60.0.1/24"), names=("eth0", "site-c"))
        spaces.route("site-c", "20.60.0.1")
        for number, name in enumerate(self.networks, start=1):
            self._make_network(name, number)
        spaces.add("peered", resolver="10.30.1.2")
        spaces.cable(("peered", "10.30.1.10/24"), ("net-a", "10.30.1.1/24"), names=("eth0", "peering"))
        spaces.run("net-a", "ip", "address", "add", "10.30.1.2/24", "dev", "peering")
        spaces.route("peered", "10.30.1.1")

    def _make_network(self, name: str, number: int) -> None:
        spaces, net, link, site = self.spaces, f"net-{name}", f"link-{name}", f"site-{name}"
        spaces.add(net, forwards=True)
        spaces.cable(
            (net, f"20.7{number}.0.10/24"), ("internet", f"20.7{number}.0.1/24"), names=("internet", net)
        )
        spaces.route(net, f"20.7{number}.0.1")
        spaces.add(site, resolver="10.20.1.2")
        spaces.cable((site, "10.20.1.10/24"), (net, "10.20.1.1/24"), names=("eth0", "site"))
        spaces.run(net, "ip", "address", "add", "10.20.1.2/24", "dev", "site")
        spaces.route(site, "10.20.1.1")
        spaces.add(link)
        spaces.cable((link, f"{OTHER_CLUSTERS}/24"), (net, "10.20.0.1/24"), names=("eth0", "endpoint"))
        spaces.route(link, "10.20.0.1")
        spaces.cable((link, f"10.90.0.{3 + number}/24"), ("plane", ""), names=("cloud", link))
        spaces.run("plane", "ip", "link", "set", link, "master", "cloud")
        self.route(name, Rules())

    def _connect_the_plane(self) -> None:
        """The plane runs in the machine's own network; the gateway reaches it by a cable of its own."""
        net = self.spaces.free_net()
        outside = f"{net}.1"
        end = f"{self.spaces.prefix}m"[-15:]
        self.spaces.cable_outside("plane", inside=f"{net}.2/30", outside=f"{outside}/30", end=end)
        self._way = self._stack.enter_context(Proxy(("127.0.0.1", self.plane.ports[0]), host=outside))

    # ---- plane and gateways

    def _started(self) -> Plane:
        made = Plane(installed.plane_settings(home=self.directory / "plane", options=PLANE))
        self._stack.callback(made.stop)
        made.configure()
        made.migrate()
        made.start(timeout=stretched(120))
        return made

    def _start_gateways(self) -> None:
        self._write_gateway()
        certificate, key = self.authority.certificate(OTHER_HOST)
        (self.directory / "other.toml").write_text(
            f'host = "{OTHER_HOST}"\n[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
            f'[private]\nlisten = "{GATEWAY}:8444"\nbalancers = ["10.90.0.0/28"]\n'
        )
        for name, config, port in (("gateway", "gateway.toml", 8443), ("gateway-other", "other.toml", 8444)):
            command = self._gateway_command("run", config, name)
            self._program(name, "plane", command, port=(GATEWAY, port))

    def _write_gateway(self, *, certificate: str = HOST) -> None:
        file, key = self.authority.certificate(certificate)
        (self.directory / "gateway.toml").write_text(
            f'host = "{HOST}"\n\n[tls]\ncertificate = "{file}"\nkey = "{key}"\n\n'
            f'[public]\nlisten = "{PUBLIC}:443"\n\n'
            f'[private]\nlisten = "{GATEWAY}:8443"\nbalancers = ["10.90.0.0/28"]\n\n'
            f'[deployments]\n{DEPLOYMENT} = ["{self._way.url}"]\n'
        )

    def _gateway_command(
        self, verb: str, config: str = "gateway.toml", state: str = "gateway"
    ) -> list[str | Path]:
        own = [sys.executable, "-m", "tradewind", "gateway", verb]
        return [*own, "--config", self.directory / config, "--state-dir", self.directory / f"{state}-state"]

    def _gateway(self, verb: str, *, check: bool) -> None:
        subprocess.run(self._gateway_command(verb), check=check, capture_output=True, text=True)

    # ---- endpoints and resolvers

    def _link(self, name: str) -> None:
        """Make the endpoint of a network as it should be now."""
        one, space, nat = self.networks[name], f"link-{name}", f"10.90.0.{3 + int(name == 'b') + 1}"
        self._end(space)
        address = [f"{ENDPOINT}/24", "dev", "eth0"]
        if not one.exists:
            self.spaces.run(space, "ip", "address", "del", *address, check=False)
            return
        self.spaces.run(space, "ip", "address", "replace", *address)
        # an endpoint that waits for approval has its address, and takes no connection
        drop = "" if one.approved else f"ip daddr {ENDPOINT} tcp dport 443 drop"
        self.spaces.rules(
            space,
            f"table ip lab {{\n chain input {{\n type filter hook input priority 0;\n{drop}\n }}\n}}\n",
        )
        self._relay(space, ENDPOINT, nat, 8443, one.endpoint)
        self._relay(f"{space}-other", OTHER_CLUSTERS, nat, 8444, one.endpoint, space=space)

    def _relay(self, name: str, listen: str, nat: str, port: int, endpoint: str, *, space: str = "") -> None:
        program = [sys.executable, HERE / "private_link.py", "--listen", f"{listen}:443", "--nat", nat]
        self._program(
            name,
            space or name,
            [*program, "--to", f"{GATEWAY}:{port}", "--endpoint", endpoint],
            port=(listen, 443),
        )

    def _resolve(self, name: str) -> None:
        """Start the DNS server of a network with the records that it should have now."""
        public = [f"--address=/{HOST}/{PUBLIC}", f"--address=/{OTHER_HOST}/{PUBLIC}"]
        if name == "internet":
            space, address, records = "internet", PUBLIC_RESOLVER, [*public, "--local=/example.com/"]
        else:
            space = "net-a" if name == "peered" else f"net-{name}"
            address = "10.30.1.2" if name == "peered" else "10.20.1.2"
            zone = self.peered_zone if name == "peered" else self.networks[name].zone
            records = [f"--server={PUBLIC_RESOLVER}"]
            if zone != "none":
                records.append(f"--local=/{DOMAIN}/")  # a private zone hides the public names below it
            if zone not in ("none", "empty"):
                records += [f"--host-record={HOST},{one}" for one in zone.split(",")]
        plain = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"]
        self._program(
            f"resolver-{name}",
            space,
            [
                "dnsmasq",
                *plain,
                "--pid-file=",
                "--bind-interfaces",
                "--except-interface=lo" if name != "internet" else "--cache-size=0",
            ]
            + [f"--listen-address={address}", *records],
            port=(address, 53),
        )

    # ---- sites

    def _prepare_sites(self) -> None:
        for name in SITES:
            folder = self.site(name)
            folder.mkdir(exist_ok=True)
            token = folder / "token"
            token.write_text(new_token(self.plane, name))
            token.chmod(0o600)
            (folder / "agent.toml").write_text(
                f'plane_url = "{URL}"\ntoken_file = "{token}"\nca_file = "{self.authority.file}"\n'
                f'name = "{name}"\nstate_dir = "{folder}/state"\nmetrics_port = 0\n'
                f'interpreter = "{installed.environments().tasks}"\n'
                'components = ["worker"]\n'
            )

    # ---- programs

    def _program(
        self, name: str, space: str, command: list[str | Path], *, port: tuple[str, int]
    ) -> LocalProcess:
        """Start a program in a namespace, in the place of the one before, and wait until it listens."""
        self._end(name)
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        program = LocalProcess(
            name,
            [*self.spaces.command(space), *command],
            env={**os.environ, "PATH": path},
            log=self.directory / "logs" / f"{name}.log",
        )
        program.start()
        self._programs[name] = program
        wait_until(
            lambda: _listens(program.pid, *port),
            timeout=stretched(60),
            what=f"{name} listens",
            processes=[program],
        )
        return program

    def _end(self, name: str) -> None:
        for each in [one for one in self._programs if one == name or one == f"{name}-other"]:
            self._programs.pop(each).stop(grace=3)


def _listens(pid: int, host: str, port: int) -> bool:
    """Whether something listens there in the network of a process, as the kernel's table of sockets says."""
    wanted = {
        f"{int.from_bytes(socket.inet_aton(each), sys.byteorder):08X}:{port:04X}"
        for each in (host, "0.0.0.0")
    }
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        newer = Path(f"/proc/{pid}/net/tcp6").read_text().splitlines()[1:]
    except OSError:
        return False
    rows = [line.split() for line in lines]
    any6 = f"{'0' * 32}:{port:04X}"
    return any(row[1] in wanted and row[3] == "0A" for row in rows) or any(
        row.split()[1] == any6 and row.split()[3] == "0A" for row in newer
    )
