"""A site's image on its way to its agents: pushed, named by digest, rolled out with Helm, and seen at the plane."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from tradewind.client.operator_client import OperatorClient
from tradewind.embedded import environments
from tradewind.errors import CommandError
from tradewind.project.builders import Builder
from tradewind.project.building import Built
from tradewind.project.settings import Part, Project
from tradewind_protocol import operator
from tradewind_protocol.states import AgentState

_HERE = frozenset(
    {AgentState.STARTING, AgentState.HEALTHY, AgentState.DEGRADED, AgentState.DRAINING, AgentState.CORDONED}
)
_ASK_EVERY = 2.0


@dataclass(frozen=True)
class Pushed:
    """An image in a registry."""

    repository: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}"

    @property
    def values(self) -> str:
        """Values of the chart tradewind-agent."""
        return f"image:\n  repository: {self.repository}\n  digest: {self.digest}\n"

    def helm(self, release: str, chart: str, namespace: str) -> list[str]:
        """The command that gives a release this image and leaves its other values as they are."""
        command = ["helm", "upgrade", release, chart, "--reuse-values"]
        command += ["--namespace", namespace] if namespace else []
        return [
            *command,
            "--set-string",
            f"image.repository={self.repository}",
            "--set-string",
            f"image.digest={self.digest}",
        ]


def push(builder: Builder, part: Part, built: Built, registry: str) -> Pushed:
    """Push what was built, under the tag of its contents. Raises CommandError."""
    repository = f"{registry.rstrip('/')}/{part.image}"
    return Pushed(repository, built.address, builder.push(built.name, f"{repository}:{built.address}"))


def chart(project: Project) -> str:
    """The agents' chart in the folder that `make dist` built; its name in a repository when there is no such folder."""
    if project.dist is not None:
        for path in sorted((project.dist / "charts").glob("tradewind-agent-*.tgz")):
            return str(path)
    return "tradewind-agent"


def has_release(release: str, namespace: str) -> bool:
    """Whether Helm is here and knows the release."""
    if shutil.which("helm") is None:
        return False
    command = ["helm", "status", release, *(["--namespace", namespace] if namespace else [])]
    try:
        environments.run(command)
    except RuntimeError:
        return False
    return True


def upgrade(command: list[str]) -> None:
    """Run Helm. Raises CommandError with its words."""
    try:
        environments.run(command)
    except RuntimeError as problem:
        raise CommandError(f"the release was not upgraded: {problem}") from problem


# ---- what the plane sees


def group(client: OperatorClient, release: str) -> dict[UUID, operator.AgentView]:
    """The agents of a release that are there now: named for it, or for one of its pods."""
    found = client.agents(limit=500).items
    return {one.id: one for one in found if is_of(one.name, release) and one.state in _HERE}


def is_of(name: str, release: str) -> bool:
    """Whether an agent of that name is one of the release's: the chart names it for the release, or for the pod."""
    return name == release or name.startswith(f"{release}-")


def wait(
    client: OperatorClient,
    release: str,
    before: Mapping[UUID, operator.AgentView],
    *,
    version: str,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[operator.AgentView]:
    """Return the agents once all of the release are healthy, of that version, and started since `before`.

    Raises CommandError, which names each agent that is not and why, after `timeout` seconds.
    """
    deadline = clock() + timeout
    sessions = {one.session_id for one in before.values()}
    while True:
        now = group(client, release)
        waiting = {one.name: why for one in now.values() if (why := _why_not(one, sessions, version))}
        if now and not waiting:
            return list(now.values())
        if clock() >= deadline:
            raise CommandError(_sentence(release, waiting, timeout), remedy=_REMEDY)
        sleep(_ASK_EVERY)


_REMEDY = "Look at the pod: kubectl describe, kubectl logs. `helm rollback` brings the image before it back."


def _why_not(agent: operator.AgentView, sessions: Collection[UUID], version: str) -> str:
    if agent.session_id in sessions:
        return "it has not been restarted: it still runs the image before"
    if agent.version != version:
        return f"it has Tradewind {agent.version or 'of an unknown version'}, not {version}"
    if agent.state is not AgentState.HEALTHY:
        reasons = [agent.state_reason, *(one.message for one in agent.findings)]
        return f"it is {agent.state.value}" + "".join(f"; {one}" for one in reasons if one)
    return ""


def _sentence(release: str, waiting: Mapping[str, str], timeout: float) -> str:
    if not waiting:
        return f"no agent of {release} has come within {timeout:g} s"
    reasons = "; ".join(f"{name}: {why}" for name, why in sorted(waiting.items()))
    return f"not all agents of {release} run the new image after {timeout:g} s: {reasons}"
