"""Network namespaces, the cables between them, and the programs in them. Everything is removed by its own name."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PROGRAMS = ("ip", "nft", "dnsmasq")


def unavailable() -> str:
    """Empty, or why this machine cannot have networks of a lab."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [one for one in PROGRAMS if shutil.which(one, path=_path()) is None]
    if missing:
        return f"there is no {', '.join(missing)} on this machine: `make network` installs it"
    probe = Namespaces(f"twprobe{os.getpid()}")
    try:
        probe.add("a")
        probe.run("a", "nft", "add", "table", "ip", "probe")
    except subprocess.CalledProcessError as error:
        return f"network namespaces need rights that this machine does not give: {error.stderr.strip()}"
    finally:
        probe.remove()
    return ""


class Namespaces:
    """Namespaces whose names begin with one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._names: list[str] = []
        self._outside: list[str] = []  # ends of cables in the machine's own network

    def name(self, short: str) -> str:
        return f"{self.prefix}-{short}"

    def add(self, short: str, *, resolver: str = "", forwards: bool = False) -> None:
        """`resolver`: the DNS server of programs in it."""
        _run("ip", "netns", "add", self.name(short))
        self._names.append(short)
        self.run(short, "ip", "link", "set", "lo", "up")
        if forwards:
            self.set(short, "net.ipv4.ip_forward", "1")
        if resolver:
            file = _resolver_file(self.name(short))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"nameserver {resolver}\noptions timeout:1 attempts:2\n")

    def cable(self, one: tuple[str, str], other: tuple[str, str], *, names: tuple[str, str]) -> None:
        """Join two namespaces; each end is a namespace and an address with its prefix. An empty address has none."""
        (here, mine), (there, theirs) = one, other
        ends = ["netns", self.name(here), "type", "veth", "peer", "name", names[1], "netns", self.name(there)]
        _run("ip", "link", "add", names[0], *ends)
        for space, end, address in ((here, names[0], mine), (there, names[1], theirs)):
            # each packet by itself, as on a real cable: several in one would pass where the MTU is small
            self.run(space, "ip", "link", "set", end, "gso_max_segs", "1")
            if address:
                self.run(space, "ip", "address", "add", address, "dev", end)
            self.run(space, "ip", "link", "set", end, "up")

    def free_net(self) -> str:
        """Three numbers of addresses that the machine's own network does not use. Another lab can run beside this one."""
        said = subprocess.run(
            ["ip", "-4", "-o", "address"], check=True, capture_output=True, text=True, env=_environment()
        ).stdout
        free = [net for number in range(256) if f" {(net := f'10.254.{number}')}." not in said]
        return random.choice(free)  # two labs that start at once do not choose the same

    def cable_outside(self, short: str, *, inside: str, outside: str, end: str) -> None:
        """Join a namespace and the machine's own network."""
        own = end
        self._outside.append(own)
        _run("ip", "link", "add", own, "type", "veth", "peer", "name", "manage", "netns", self.name(short))
        _run("ip", "address", "add", outside, "dev", own)
        _run("ip", "link", "set", own, "up")
        self.run(short, "ip", "address", "add", inside, "dev", "manage")
        self.run(short, "ip", "link", "set", "manage", "up")

    def route(self, short: str, via: str, to: str = "default") -> None:
        self.run(short, "ip", "route", "replace", to, "via", via)

    def set(self, short: str, key: str, value: str) -> None:
        """A setting of the kernel, for this namespace."""
        self.run(short, "sysctl", "-q", "-w", f"{key}={value}")

    def rules(self, short: str, text: str) -> None:
        """Rules of nftables, in the place of those before."""
        whole = [*self.command(short), "nft", "-f", "-"]
        ran = subprocess.run(
            whole,
            input=f"flush ruleset\n{text}",
            text=True,
            capture_output=True,
            env=_environment(),
        )
        assert ran.returncode == 0, f"{ran.stderr}\n{text}"

    def command(self, short: str) -> list[str]:
        """What to put before a command to run it in there; the process keeps its id."""
        return ["ip", "netns", "exec", self.name(short)]

    def run(self, short: str, *command: str, timeout: float = 60, check: bool = True) -> str:
        """What a command in there says."""
        whole = [*self.command(short), *command]
        ran = subprocess.run(
            whole,
            check=check,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=_environment(),
        )
        return ran.stdout

    def remove(self) -> None:
        """Idempotent. Programs in them must have ended."""
        for end in self._outside:
            subprocess.run(["ip", "link", "del", end], capture_output=True, env=_environment())
        for short in self._names:
            subprocess.run(["ip", "netns", "del", self.name(short)], capture_output=True, env=_environment())
            shutil.rmtree(_resolver_file(self.name(short)).parent, ignore_errors=True)
        self._names, self._outside = [], []


def _resolver_file(name: str) -> Path:
    return Path("/etc/netns") / name / "resolv.conf"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _run(*command: str) -> None:
    whole: Sequence[str] = command
    subprocess.run(whole, check=True, capture_output=True, text=True, env=_environment())
