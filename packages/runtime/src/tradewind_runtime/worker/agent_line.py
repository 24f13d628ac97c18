"""What the prefork process reads of a line of the agent: never the secret, so that no later fork inherits it."""

from __future__ import annotations

import msgspec

from tradewind_runtime.accelerators.libraries import import_notes


class _Bundle(msgspec.Struct):
    name: str = ""
    version: str | None = None


class _Workload(msgspec.Struct):
    dag_rel_path: str = ""
    bundle_info: _Bundle = msgspec.field(default_factory=_Bundle)


class AgentLine(msgspec.Struct):
    """A RunAttempt, StopAttempt or StopHost of `tradewind_protocol.hosts`, as far as the prefork process needs it."""

    type: str
    attempt_id: str = ""
    epoch: int = 0
    reason: str = ""
    grace: float = 5.0
    now: bool = False
    kind: str = ""
    workload: _Workload = msgspec.field(default_factory=_Workload)

    @classmethod
    def read(cls, line: bytearray) -> AgentLine:
        """Raises ValueError for what is none."""
        return msgspec.json.decode(line, type=cls)

    def dag_file(self) -> import_notes.DagFile | None:
        """What a task's process will read; None for other work."""
        if self.kind != "task" or not self.workload.dag_rel_path:
            return None
        bundle = self.workload.bundle_info
        return import_notes.DagFile(bundle.name, bundle.version, self.workload.dag_rel_path)
