"""A question to a task environment: its own interpreter answers, with the environment variables that its processes get."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass

from tradewind_agent.environments import variables
from tradewind_agent.settings import EnvironmentSettings, Settings


@dataclass(frozen=True)
class InterpreterOutput:
    """What the interpreter printed, and its exit status."""

    status: int
    out: str
    err: str

    def marked(self, mark: str) -> list[str]:
        """The lines of the answer. Without the mark they are what libraries print."""
        return [line.removeprefix(mark) for line in self.out.splitlines() if line.startswith(mark)]

    @property
    def last_words(self) -> str:
        """The last line of its errors, which says why it ended."""
        return (self.err.strip().splitlines() or [f"exit status {self.status}"])[-1][:500]


async def ask(
    settings: Settings, environment: EnvironmentSettings, module: str, question: str
) -> InterpreterOutput:
    """Run `module` with `question` on its standard input. Cancelled, it leaves no process. Raises OSError."""
    process = await asyncio.create_subprocess_exec(
        str(environment.interpreter),
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables.for_process(
            os.environ,
            passed=settings.pass_environment,
            own={**variables.for_bundles(settings.bundles), **environment.env},
            defaults=variables.defaults(settings.state_dir),
            interpreter=environment.interpreter,
        ),
        start_new_session=True,
    )
    try:
        out, err = await process.communicate(question.encode())
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    return InterpreterOutput(
        process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )
