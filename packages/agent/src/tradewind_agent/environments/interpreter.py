"""A question to a task environment: its own interpreter answers, with the environment variables that its processes get."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass

from tradewind_agent.environments import launcher, variables
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import task_users


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
    """Run `module` with `question` on its standard input, as `start` does. Cancelled, it leaves no process."""
    process = await start(settings, environment, module)
    try:
        out, err = await process.communicate(question.encode())
    except asyncio.CancelledError:
        await kill(process)
        raise
    return InterpreterOutput(
        process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )


async def start(
    settings: Settings,
    environment: EnvironmentSettings,
    module: str,
    *,
    errors: int = asyncio.subprocess.PIPE,
    limit: int = 65_536,
) -> asyncio.subprocess.Process:
    """Start `module` with pipes, in a process group of its own, as the environment's user where this process may start
    others. `limit`: bytes of its longest line. Raises OSError, SettingsWrong."""
    user = None if task_users.missing_capabilities() else task_users.user_of(environment)
    return await asyncio.create_subprocess_exec(
        str(environment.interpreter),
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        limit=limit,
        env=variables.for_process(
            os.environ,
            passed=settings.pass_environment,
            own={
                **variables.for_bundles(settings.bundles),
                **(user.variables if user is not None else {}),
                **environment.env,
            },
            defaults=variables.defaults(settings.state_dir),
            interpreter=environment.interpreter,
        ),
        start_new_session=True,
        **launcher.as_user(user),
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that `start` began, and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
