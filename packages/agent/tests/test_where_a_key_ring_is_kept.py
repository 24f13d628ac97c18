"""A key ring that a command of the owner's prints, or that the site's secrets backend has: read at the start and again, and told to
no one. Real programs, and Airflow's own secrets backend."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from agent_kit import AgentUnderTest
from pydantic import ValidationError

from support import prepared_hosts
from support.proc import is_alive
from tradewind_agent.doctor import seal as doctor
from tradewind_agent.doctor.examined import Examination
from tradewind_agent.environments import key_rings
from tradewind_agent.errors import AgentError, KeyRingUnavailable, SettingsWrong
from tradewind_agent.settings import EnvironmentSettings, SealSettings, Settings
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.ring_in_force import RingInForce
from tradewind_protocol.checks import Verdict

RING = KeyRing.new("frankfurt", "2026-11")


def python(tmp_path: Path, program: str) -> list[str]:
    file = tmp_path / "prints a ring.py"
    file.write_text(program)
    return [sys.executable, str(file)]


@pytest.mark.parametrize(
    "printed",
    [RING.text(), base64.encodebytes(RING.text().encode()).decode()],
    ids=["as it is", "in base64"],
)
async def test_a_program_prints_the_ring_as_it_is_or_in_base64(tmp_path: Path, printed: str) -> None:
    file = tmp_path / "ring; touch planted"  # which a shell would read otherwise
    file.write_text(printed)
    assert await key_rings.of_command(["cat", str(file)]) == RING
    assert not list(tmp_path.glob("planted*"))


async def test_the_program_gets_what_its_cloud_needs_and_nothing_of_the_agents(tmp_path: Path) -> None:
    command = python(
        tmp_path,
        "import os, sys\n"
        "assert os.environ['AWS_PROFILE'] == 'site' and not sys.stdin.read()\n"
        "assert not [each for each in os.environ if each.startswith('TRADEWIND')]\n"
        f"print({RING.text()!r})",
    )
    environ = {**os.environ, "AWS_PROFILE": "site", "TRADEWIND_AGENT_TOKEN": "tw_agent_secret"}
    assert await key_rings.of_command(command, environ=environ) == RING


SECRET = next(iter(RING.keys.values()))
IN_BASE64 = base64.b64encode(SECRET).decode()


@pytest.mark.parametrize(
    ("program", "kind", "why"),
    [
        (
            f"import sys; print({RING.text()!r}); sys.exit({IN_BASE64!r})",
            KeyRingUnavailable,
            "ended with status 1",
        ),
        ("import time; time.sleep(600)", KeyRingUnavailable, "did not end in 2 s"),
        (f"print('site = {IN_BASE64}')", SettingsWrong, "it is no TOML"),
        (f"print({RING.text()!r}.replace('current', 'now'))", SettingsWrong, "which a key ring has not"),
        (
            f"import sys; sys.stdout.buffer.write(b'\\xff{IN_BASE64}')",
            SettingsWrong,
            "no UTF-8",
        ),
        ("print('')", SettingsWrong, "`site`"),
        ("while True: print('x' * 10_000)", SettingsWrong, "more than 1048576 bytes"),
    ],
    ids=[
        "fails",
        "hangs",
        "no TOML",
        "an unknown key",
        "no UTF-8",
        "nothing",
        "endless",
    ],  # a program holds a random key
)
async def test_a_program_that_fails_is_told_without_a_word_that_it_printed(
    tmp_path: Path, program: str, kind: type[AgentError], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kind, match=why) as wrong:
        await key_rings.of_command(python(tmp_path, program), patience=2.0)
    told = str(wrong.value) + "".join(capfd.readouterr())
    assert IN_BASE64 not in told and "keys_command" in told
    assert wrong.value.__cause__ is None


async def test_a_program_that_is_not_there_is_an_error_of_the_settings() -> None:
    with pytest.raises(
        SettingsWrong, match=r"'/no/such program'|/no/such program \(keys_command\).*No such file"
    ):
        await key_rings.of_command(["/no/such program"])


async def test_what_takes_too_long_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {shlex.quote(str(note))}; wait"
    with pytest.raises(KeyRingUnavailable):
        await key_rings.of_command(["sh", "-c", script], patience=1.0)
    pid = int(note.read_text())
    await until(lambda: not is_alive(pid))


async def until(done: Callable[[], bool], seconds: float = 20) -> None:
    for _ in range(int(seconds / 0.02)):
        if done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about in time")


class Shelf:
    """Where a ring is kept; may be out of reach."""

    def __init__(self) -> None:
        self.has: KeyRing | AgentError = RING
        self.asked = 0

    async def __call__(self) -> KeyRing:
        self.asked += 1
        if isinstance(self.has, AgentError):
            raise self.has
        return self.has


async def test_a_changed_ring_counts_without_a_restart_and_a_broken_one_keeps_the_old() -> None:
    shelf = Shelf()
    in_force = RingInForce(now=lambda: 0.0, fetch=shelf)
    await in_force.fetch_first()
    assert in_force() == RING
    shelf.has = after = RING.with_new("2027-01").sealing_with("2027-01")
    await in_force.fetch_again()
    assert (in_force(), in_force.problem) == (after, "")
    for wrong in (KeyRingUnavailable("the KMS is away"), SettingsWrong("it is no TOML")):
        shelf.has = wrong
        await in_force.fetch_again()
        assert in_force() == after
        assert in_force.problem == f"the key ring before stays in force: {wrong.message}"
    shelf.has = after
    await in_force.fetch_again()
    assert in_force.problem == ""


async def test_a_ring_that_is_out_of_reach_is_waited_for_and_a_wrong_one_is_not() -> None:
    shelf = Shelf()
    shelf.has = SettingsWrong("it is no TOML")
    with pytest.raises(SettingsWrong):
        await RingInForce(now=lambda: 0.0, fetch=shelf).fetch_first()
    assert shelf.asked == 1
    shelf.has = KeyRingUnavailable("the KMS is away")
    in_force = RingInForce(now=lambda: 0.0, fetch=shelf)
    first = asyncio.create_task(in_force.fetch_first())
    await until(lambda: shelf.asked == 2)
    shelf.has = RING
    await first
    assert in_force() == RING


async def test_an_agent_takes_the_ring_of_a_command_and_a_new_one_while_it_runs(
    agent: AgentUnderTest, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    file.write_text(RING.text())
    agent.with_settings(seal={"keys_command": ["cat", str(file)], "keys_every": 1})
    async with agent:
        await agent.ready()
        values = agent.agent.key_ring
        assert values() == RING
        file.write_text(RING.with_new("2027-01").sealing_with("2027-01").text())
        await until(lambda: (ring := values()) is not None and ring.current == "2027-01")
        file.write_text("broken")
        await until(lambda: "stays in force" in values.problem)
        assert [one.check for one in agent.agent.checks()] == ["seal"]
        assert (ring := values()) is not None and ring.current == "2027-01"


async def test_an_agent_does_not_start_without_the_ring_it_was_to_have(agent: AgentUnderTest) -> None:
    agent.with_settings(seal={"keys_command": ["/no/such program"]})
    with pytest.raises(SettingsWrong, match="keys_command"):
        async with agent:
            await agent.ended()


def settings_of(tmp_path: Path, **seal: object) -> Settings:
    kept = tmp_path / "secrets.json"
    kept.write_text(json.dumps({"tradewind_keys": RING.text()}))
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    environment = EnvironmentSettings(
        name="tasks",
        interpreter=prepared_hosts.python(tmp_path / "python"),
        env={
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__SECRETS__BACKEND": backend,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"variables_file_path": str(kept)}),
        },
    )
    return Settings(
        plane_url="http://plane.test",
        token_file=tmp_path / "token",
        state_dir=tmp_path,
        environments=(environment,),
        seal=SealSettings(**seal),  # type: ignore[arg-type]
    )


@pytest.mark.timeout(180)
async def test_the_secrets_backend_of_the_site_has_the_ring(tmp_path: Path) -> None:
    [found] = [
        one async for one in doctor.check(Examination(settings_of(tmp_path, keys_variable="tradewind_keys")))
    ]
    assert found.verdict is Verdict.OK
    assert found.evidence.startswith(
        "variable tradewind_keys of the secrets backend of environment tasks: values are sealed by frankfurt, key 2026-11"
    )


@pytest.mark.timeout(180)
async def test_a_variable_that_no_backend_has_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(
        KeyRingUnavailable, match=r"'nothing' of environment tasks cannot be read: it is in none of"
    ):
        await key_rings.of_variable(settings_of(tmp_path, keys_variable="nothing"), "nothing")


async def test_the_doctor_says_why_a_command_gives_no_ring(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["sh", "-c", "echo AccessDenied >&2; exit 254"]
    [found] = [one async for one in doctor.check(Examination(settings_of(tmp_path, keys_command=command)))]
    assert found.verdict is Verdict.FAILED
    assert found.evidence == "the key ring of sh (keys_command) cannot be read: it ended with status 254"
    assert "AccessDenied" in capfd.readouterr().err, "the person who asks reads the program's own words"


def test_a_ring_is_kept_in_one_place(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="keep the key ring in one place"):
        SealSettings(keys_file=tmp_path, keys_command=("cat", "x"))
    assert key_rings.fetching(settings_of(tmp_path)) is None
    key_ring.write(tmp_path / "ring", RING)
    assert key_rings.fetching(settings_of(tmp_path, keys_file=tmp_path / "ring")) is None
