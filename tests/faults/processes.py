"""Ends of processes: killed, stopped for a while, or gone with all their family."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil

from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import LocalProcess


def family(pid: int) -> list[psutil.Process]:
    """The process and all below it, the oldest first; none when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """A signal for each; one that is gone is no error."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def kill_all(agent: Agent) -> None:
    """SIGKILL for the agent and everything below it, all at once: the machine is gone."""
    everyone = family(agent.process.pid)
    send(everyone, signal.SIGSTOP)  # nobody gets to see another one die
    send(everyone, signal.SIGKILL)
    agent.process.wait(10)


def signal_family(agent: Agent, number: signal.Signals) -> None:
    """SIGSTOP or SIGCONT for the agent and everything below it: the machine sleeps, or wakes."""
    send(family(agent.process.pid), number)


def gone(agent: Agent) -> None:
    """End an agent in whatever state it is, with everything below it."""
    if not agent.process.running:
        return
    everyone = family(agent.process.pid)
    send(everyone, signal.SIGCONT)
    agent.process.signal(signal.SIGTERM)
    agent.process.signal(signal.SIGINT)
    with suppress(TimeoutError):
        agent.process.wait(10)
    send(everyone, signal.SIGKILL)
    agent.process.stop(grace=1)


def kill(process: LocalProcess) -> None:
    """SIGKILL for a process of the plane and all below it."""
    send(family(process.pid), signal.SIGKILL)
    process.wait(10)


def restart(process: LocalProcess) -> None:
    """`kill`, and start it again."""
    kill(process)
    process.start()
