"""`make lab`: the networks of docs/how-to/private-link.md on this machine, to try by hand."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from support import installed
from support.lab.lab import (
    ENDPOINT,
    ENDPOINTS,
    HOST,
    OTHER_CLUSTERS,
    PUBLIC,
    SILENT,
    SITES,
    URL,
    Lab,
    Rules,
)
from support.lab.namespaces import unavailable

PLACE = Path("/tmp/tradewind-lab")

HELP = f"""\
What a cloud's portal does:
  endpoint NETWORK create|approve|reject|delete|show     the private endpoint of network a or b
  zone NETWORK link|unlink|empty|wrong|half              the private zone of a, b or peered: with its record, none, without a
                                                         record, with the record of another cluster's endpoint, or with a
                                                         second address that does not answer
What goes wrong:
  closed NETWORK on|off        the endpoint's security group takes nothing
  intercept NETWORK on|off     the company's TLS inspection opens connections
  idle NETWORK SECONDS|off     the network forgets connections without traffic
  mtu NETWORK BYTES|off        packets of more bytes are lost in silence
  certificate NAME             the gateway's certificate is for NAME (back: {HOST})
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="make lab", description="Networks like the clouds', on this machine."
    )
    parser.add_argument(
        "--shell",
        metavar="WHERE",
        choices=[*SITES, "owner"],
        help="open a shell at a site, or as the plane's owner",
    )
    parser.add_argument(
        "--finished", action="store_true", help="begin with approved endpoints and linked zones"
    )
    parser.add_argument("--place", type=Path, default=PLACE, help="the directory of the lab")
    given, words = parser.parse_known_args()
    if given.shell:
        _shell(given.shell, given.place)
    elif words:
        sys.exit(_send(" ".join(words), given.place))
    else:
        _run(given.place, finished=given.finished)


def _prefix(place: Path) -> str:
    """Of the names of the lab's namespaces."""
    return "twlab" if place == PLACE else f"tw{place.name[-6:]}"


def _control(place: Path) -> Path:
    """The socket at which the running lab takes commands."""
    return place / "control"


def _run(place: Path, *, finished: bool) -> None:
    if reason := unavailable():
        sys.exit(f"No lab here: {reason}.")
    if place.exists():
        sys.exit(f"A lab runs already, or one was killed. End it, or remove {place}.")
    place.mkdir(mode=0o755)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ends)
    try:
        print("Starting a plane, a gateway and ten networks. The first time takes some minutes.", flush=True)
        with Lab(place, _prefix(place), finished=finished) as lab:
            _commands(lab, place)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(_control(place)))
            listener.listen()
            threading.Thread(target=_controlled, args=(lab, listener), daemon=True).start()
            print(_where(lab), flush=True)
            while True:  # whichever thread a signal reaches, its handler waits for the next turn of this one
                time.sleep(0.5)
    except KeyboardInterrupt:
        print("The lab has ended.", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _ends(number: int, frame: FrameType | None) -> None:
    """Once: what removes the lab is not interrupted by an impatient second Ctrl-C."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: None)
    os.write(sys.stdout.fileno(), b"Ending the lab.\n")  # `print` may be what the signal interrupts
    raise KeyboardInterrupt


def _where(lab: Lab) -> str:
    sites = "\n".join(
        f'  make lab ARGS="--shell {name}"{" " * (10 - len(name))}{text}' for name, text in SITES.items()
    )
    return f"""
The lab runs. Ctrl-C ends it and removes everything.

  plane        {lab.plane.url}  (sign in as admin with {lab.plane.passwords["admin"]})
  agents' URL  {URL}
  gateway      {PUBLIC} on the lab's internet; private endpoints have {ENDPOINT} in their networks

In another terminal, in the same checkout:
{sites}
  make lab ARGS="--shell owner"     as the plane's owner: tradewind is signed in

Follow docs/how-to/private-link.md. In each of these shells, `lab help` shows what can be made and broken.
"""


def _commands(lab: Lab, place: Path) -> None:
    """The programs of the shells: `lab`, and those of the agent and of the command."""
    folder = place / "bin"
    folder.mkdir()
    root = Path(__file__).parents[2]
    scripts = {
        "lab": f'PYTHONPATH={root} exec {sys.executable} -m support.lab --place {place} "$@"',
        "tradewind-agent": f'exec {installed.environments().agent} -m tradewind_agent "$@"',
        "tradewind": f'TRADEWIND_API_TOKEN=$(cat {place}/owner 2>/dev/null) exec {sys.executable} -m tradewind --plane-url {lab.plane.url} "$@"',
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    owner = place / "owner"
    owner.touch(mode=0o600)
    owner.write_text(lab.plane.sign_in())


def _shell(where: str, place: Path) -> None:
    """Become a shell in that network."""
    if not _control(place).exists():
        sys.exit("No lab runs: start one with `make lab` in another terminal.")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "TRADEWIND"))}
    env["PATH"] = f"{place / 'bin'}:{env['PATH']}:/usr/sbin:/sbin"
    env["PS1"] = f"[{where}] \\w $ "
    bash = ["bash", "--norc", "--noprofile"]
    if where == "owner":
        os.chdir(place)
        os.execvpe(bash[0], bash, env)
    folder = place / where
    os.chdir(folder)
    env |= {
        "CURL_CA_BUNDLE": str(place / "authority" / "ca.pem"),
        "TRADEWIND_AGENT_CONFIG": str(folder / "agent.toml"),
    }
    os.execvpe("ip", ["ip", "netns", "exec", f"{_prefix(place)}-{where}", *bash], env)


def _send(line: str, place: Path) -> int:
    """Let the running lab do something."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(_control(place)))
        except OSError:
            print("No lab runs: start one with `make lab` in another terminal.", file=sys.stderr)
            return 1
        connection.sendall(line.encode() + b"\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    print(answer.decode().rstrip())
    return 0


def _controlled(lab: Lab, listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            line = connection.makefile().readline()
            try:
                answer = do(lab, line.split())
            except Exception as error:  # shown to the person who asked; the lab goes on
                answer = f"That did not work: {error}"
            connection.sendall(answer.encode())


def do(lab: Lab, words: list[str]) -> str:
    """One command of HELP; what it says."""
    match words:
        case ["endpoint", name, act] if name in ENDPOINTS:
            return _endpoint(lab, name, act)
        case ["zone", name, act] if name in (*ENDPOINTS, "peered"):
            records = {
                "link": ENDPOINT,
                "unlink": "none",
                "empty": "empty",
                "wrong": OTHER_CLUSTERS,
                "half": f"{ENDPOINT},{SILENT}",
            }
            if act in records:
                lab.link_zone(name, records[act])
                return f"network {name}: zone external.example.com, {act}"
        case [("closed" | "intercept" | "idle" | "mtu") as what, name, value] if name in ENDPOINTS:
            lab.route(name, _rules(what, value))
            return f"network {name}: {what} {value}; anything else as it should be"
        case ["certificate", name]:
            lab.serve(names=name)
            return f"the gateway shows a certificate for {name}"
        case ["doctor", site] if site in SITES:
            return "\n".join(
                f"{key}: {each if isinstance(each, str) else each['verdict']}"
                for key, each in lab.doctor(site).items()
            )
    return HELP


def _endpoint(lab: Lab, name: str, act: str) -> str:
    match act:
        case "create":
            lab.create_endpoint(name)
        case "approve" | "reject":
            lab.approve_endpoint(name, act == "approve")
        case "delete":
            lab.delete_endpoint(name)
        case "show":
            pass
        case _:
            return HELP
    one = lab.networks[name]
    state = "not there" if not one.exists else "approved" if one.approved else "waiting for approval"
    return f"endpoint {one.endpoint} of network {name}, address {ENDPOINT}: {state}"


def _rules(what: str, value: str) -> Rules:
    on = value != "off"
    match what:
        case "closed":
            return Rules(closed=on)
        case "intercept":
            return Rules(intercept=on)
        case "idle":
            return Rules(idle=float(value) if on else None)
        case _:
            return Rules(mtu=int(value) if on else None)


if __name__ == "__main__":
    main()
