"""The key ring of the site's owner from where it is kept: a command of the owner's, or the site's secrets backend."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from tradewind_agent.environments import configuration, interpreter
from tradewind_agent.errors import KeyRingUnavailable, SettingsWrong
from tradewind_agent.kits import aiotime
from tradewind_agent.settings import PREFIX, Settings
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing

MARK: Final = "tradewind-secret "
PATIENCE: Final = 60.0
"""Seconds for one answer. A command line of a cloud takes ten on a busy machine."""

LARGEST: Final = 1024 * 1024
"""Bytes of a key ring."""

_OURS: Final = PREFIX.partition("_")[0] + "_"


def described(settings: Settings) -> str:
    """Where the key ring is kept, for people."""
    seal = settings.seal
    if seal.keys_command:
        return f"the output of {seal.keys_command[0]} (keys_command)"
    if seal.keys_variable:
        name = settings.task_environments[0].name
        return f"variable {seal.keys_variable} of the secrets backend of environment {name}"
    return str(seal.keys_file)


def fetching(settings: Settings, *, errors: int | None = asyncio.subprocess.DEVNULL) -> Fetch | None:
    """What fetches the key ring; None where it is a file, or there is none. `errors`: where a command's errors go."""
    seal = settings.seal
    if seal.keys_command:
        return lambda: of_command(seal.keys_command, errors=errors)
    if seal.keys_variable:
        return lambda: of_variable(settings, seal.keys_variable)
    return None


Fetch = Callable[[], Awaitable[KeyRing]]
"""Raises KeyRingUnavailable where another try may help, and SettingsWrong where none does."""


async def of_command(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] = os.environ,
    errors: int | None = asyncio.subprocess.DEVNULL,
    patience: float = PATIENCE,
) -> KeyRing:
    """The key ring that a program prints, as it is or in base64. No shell reads the command. Nothing that it prints is told to
    anyone, and it does not get the agent's own settings."""
    what = f"the key ring of {command[0]} (keys_command)"
    # A pipe of our own: asyncio's would keep `wait` from ending while a process that got away holds it open.
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=errors,
            env={name: value for name, value in environ.items() if not name.startswith(_OURS)},
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        raise SettingsWrong(
            f"{what} cannot be read: the program cannot be started: {error.strerror or error}",
            remedy="Write keys_command as a list of the program and its arguments; no shell reads it",
        ) from None
    finally:
        os.close(writing)
    try:
        printed = await aiotime.within(_output(process, reading), patience)
    except asyncio.TimeoutError:
        raise KeyRingUnavailable(
            f"{what} cannot be read: it did not end in {patience:g} s", remedy=_REMEDY
        ) from None
    finally:
        if process.returncode is None:
            await interpreter.kill(process)  # with what it has started
    if process.returncode != 0 and len(printed) <= LARGEST:
        raise KeyRingUnavailable(
            f"{what} cannot be read: it ended with status {process.returncode}", remedy=_REMEDY
        )
    return _ring(what, printed)


async def of_variable(settings: Settings, name: str) -> KeyRing:
    """The key ring in a variable of the secrets backend that the first task environment has."""
    environment = settings.task_environments[0]
    what = f"the key ring in variable {name!r} of environment {environment.name}"
    configure = configuration.of_question(settings, storage=False)
    question = json.dumps({"configure": configure.model_dump(mode="json"), "variable": name})
    asked = interpreter.ask(settings, environment, "tradewind_runtime.site_secret", question)
    try:
        said = await aiotime.within(asked, PATIENCE)
    except (OSError, asyncio.TimeoutError) as error:
        why = str(error) or f"{environment.interpreter} did not answer in {PATIENCE:g} s"
        raise KeyRingUnavailable(f"{what} cannot be read: {why}", remedy=_REMEDY) from None
    answers = said.marked(MARK)
    if not answers:
        why = f"{environment.interpreter} ended with status {said.status}"
        raise KeyRingUnavailable(f"{what} cannot be read: {why}", remedy=_REMEDY)
    answer = json.loads(answers[-1])
    if "value" not in answer:
        raise KeyRingUnavailable(f"{what} cannot be read: {answer['problem']}")
    return _ring(what, answer["value"].encode("utf-8", "surrogatepass"))


_REMEDY: Final = "`tradewind-agent doctor` shows why"


async def _output(process: asyncio.subprocess.Process, reading: int) -> bytes:
    """What a process writes into a pipe until it ends, or until it is too much. Closes the pipe."""
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        printed = b""
        while len(printed) <= LARGEST and (more := await reader.read(65_536)):
            printed += more
        if len(printed) <= LARGEST:
            await process.wait()
        return printed
    finally:
        pipe.close()


def _ring(what: str, printed: bytes) -> KeyRing:
    try:
        if len(printed) > LARGEST:
            raise key_ring.RingWrong(f"it has more than {LARGEST} bytes")
        return KeyRing.of_output(printed)
    except key_ring.RingWrong as wrong:
        raise SettingsWrong(f"{what} is none: {wrong}", remedy=key_ring.REMEDY) from None
