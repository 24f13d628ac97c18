"""The key ring of a site's owner: one file, a key that seals, older ones that open, and no word of a key anywhere."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from tradewind_agent.cli.keys import keys
from tradewind_agent.doctor import seal as doctor
from tradewind_agent.doctor.examined import Examination
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.settings import SealSettings, Settings
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.ring_in_force import RingInForce
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol.boundary import CannotOpen
from tradewind_protocol.checks import Verdict


def a_ring(path: Path, site: str = "frankfurt", key_id: str = "2026-11") -> KeyRing:
    ring = KeyRing.new(site, key_id)
    key_ring.write(path, ring)
    return ring


def test_what_one_agent_seals_another_with_the_same_file_opens(tmp_path: Path) -> None:
    ring = a_ring(tmp_path / "keys")
    form = ring.seal("a text — with ü")
    assert form.startswith("2026-11.")
    assert key_ring.read(tmp_path / "keys").open(form) == "a text — with ü"
    assert ring.seal("a text") != ring.seal("a text"), "nobody sees that two values are equal"
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_an_altered_text_and_a_key_of_another_site_are_told_apart_from_a_lost_key(tmp_path: Path) -> None:
    ring = a_ring(tmp_path / "keys")
    form = ring.seal("a text")
    raw = bytearray(base64.urlsafe_b64decode(form.partition(".")[2]))
    raw[-1] ^= 1
    altered = f"2026-11.{base64.urlsafe_b64encode(bytes(raw)).decode()}"
    for broken in (altered, "2026-11.AAAA", "2026-11.-not base64-"):
        with pytest.raises(CannotOpen, match="changed on the way, or sealed by another site"):
            ring.open(broken)
    with pytest.raises(CannotOpen, match="another site"):
        KeyRing("bergen", ring.current, ring.keys).open(form)
    with pytest.raises(
        CannotOpen, match="sealed with key '2026-11', and .* has 2027-01 only. Put that key back"
    ):
        KeyRing.new("frankfurt", "2027-01").open(form)


def test_keys_are_rotated_by_the_command_without_a_value_that_cannot_be_opened(tmp_path: Path) -> None:
    file, run = tmp_path / "keys", CliRunner()

    def call(*arguments: str, code: int = 0) -> str:
        done = run.invoke(keys, list(arguments))
        assert done.exit_code == code, done.output
        return done.output

    call("new", str(file), "--site", "frankfurt", "--id", "2026-11")
    call("new", str(file), "--site", "frankfurt", code=1)
    before = key_ring.read(file)
    form = before.seal("a text")
    call("add", str(file), "--id", "2027-01")
    assert key_ring.read(file).current == "2026-11", (
        "agents that do not have the new key yet open what is sealed"
    )
    call("use", str(file), "2027-01")
    after = key_ring.read(file)
    assert after.seal("x").startswith("2027-01.")
    assert after.open(form) == "a text"
    listed = call("list", str(file))
    assert "2026-11" in listed and "2027-01" in listed
    for key in after.keys.values():
        assert base64.b64encode(key).decode() not in listed
        assert base64.b64encode(key).decode() not in repr(after)
    call("remove", str(file), "2027-01", code=1)
    call("remove", str(file), "2026-11")
    with pytest.raises(CannotOpen, match="2026-11"):
        key_ring.read(file).open(form)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("site = 'a\nKEY", "no TOML"),
        ("current = '1'\n[keys]\n1 = 'KEY'", "`site`"),
        ("site = 'a'\ncurrent = '1'", r"no `\[keys\]`"),
        ("site = 'a'\ncurrent = '2'\n[keys]\n1 = 'KEY'", "`current`"),
        ("site = 'a'\ncurrent = '1'\n[keys]\n1 = 'KEY'", "'1' is not 32 bytes"),
        ("site = 'a'\ncurrent = 'a b'\n[keys]\n'a b' = 'KEY'", "letters, digits and hyphens"),
        ("site = 'a'\ncurrent = '1'\nmore = 1\n[keys]\n1 = 'KEY'", "'more'"),
    ],
)
def test_a_broken_ring_is_refused_with_the_cause_and_without_a_key(
    tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "keys"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(SettingsWrong, match=why) as wrong:
        key_ring.read(file)
    assert "KEY" not in str(wrong.value)


def test_a_ring_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    a_ring(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o644)
    with pytest.raises(SettingsWrong, match="mode 0644") as wrong:
        key_ring.read(tmp_path / "keys")
    assert wrong.value.remedy.startswith("chmod 600")


def test_a_changed_file_is_read_again_and_a_broken_one_leaves_the_old_keys(tmp_path: Path) -> None:
    file, moment = tmp_path / "keys", [0.0]
    before = a_ring(file)
    in_force = RingInForce(file, now=lambda: moment[0])
    assert in_force() == before
    after = before.with_new("2027-01").sealing_with("2027-01")
    key_ring.write(file, after)
    assert in_force() == before, "not looked at so soon"
    moment[0] = 2.0
    assert in_force() == after
    file.write_text("broken")
    os.utime(file, (1, 1))
    moment[0] = 4.0
    assert in_force() == after
    assert "stays in force" in in_force.problem
    key_ring.write(file, before)
    moment[0] = 6.0
    assert (in_force(), in_force.problem) == (before, "")
    with pytest.raises(SettingsWrong):
        RingInForce(tmp_path / "absent", now=lambda: 0.0)


def test_what_is_sealed_for_one_deployment_opens_in_no_other(tmp_path: Path) -> None:
    ring, key = KeyRing.new("frankfurt", "2026-11"), b"of this site and its agents"

    def agent(plane_url: str, deployment: str = "") -> SiteSealing:
        settings = Settings(plane_url=plane_url, token_file=tmp_path / "token", deployment=deployment)
        name = settings.sealed_for
        return SiteSealing(SiteKey(key, name), lambda: ring, deployment=name)

    finance = agent("https://airflow.example.com/finance")
    seal = finance.values()
    assert seal is not None
    value, arguments = seal.seal("a text"), finance.seal("arguments")
    assert agent("https://AIRFLOW.example.com:443/finance/").open(value) == "a text"
    for other in (
        "https://airflow.example.com/sales",
        "https://airflow.example.com:8443/finance",
        "https://b.example/finance",
    ):
        with pytest.raises(
            CannotOpen, match="sealed for Deployment 'airflow.example.com/finance', and this agent serves"
        ):
            agent(other).open(value)
        assert agent(other).open(arguments) is None, "what Dags declare, too"
    named = agent("https://private.example/x", "airflow.example.com/finance")
    assert (named.open(value), named.open(arguments)) == ("a text", "arguments"), (
        "agents on two ways to one plane"
    )
    assert SiteKey(key, "a").fingerprint != SiteKey(key, "b").fingerprint, (
        "the plane gives no work to agents that differ"
    )


def test_arguments_of_before_the_ring_still_open_and_a_missing_ring_says_so() -> None:
    key, ring = SiteKey(b"of this site and its agents"), KeyRing.new("frankfurt", "2026-11")
    without, with_ring = SiteSealing(key), SiteSealing(key, lambda: ring)
    assert with_ring.open(without.seal("a text")) == "a text"
    assert without.values() is None
    with pytest.raises(CannotOpen, match="key '2026-11' of a key ring, and this agent has no key ring"):
        without.open(ring.seal("a text"))


def test_a_key_that_is_asked_for_and_missing_is_a_problem_until_it_is_there(tmp_path: Path) -> None:
    file, moment = tmp_path / "keys", [0.0]
    old = a_ring(file)
    key_ring.write(file, KeyRing.new("frankfurt", "2027-01"))
    in_force = RingInForce(file, now=lambda: moment[0])
    sealing = SiteSealing(SiteKey(b"of this site and its agents"), in_force, missed=in_force.missed)
    with pytest.raises(CannotOpen):
        sealing.open(old.seal("a text"))
    assert "sealed with key 2026-11, which this agent does not have" in in_force.problem
    for number in range(100):
        with pytest.raises(CannotOpen):
            sealing.open(f"{number}.{'A' * 40}")
    assert len(in_force.problem) < 300, "a plane cannot make it endless"
    key_ring.write(file, old)
    moment[0] = 2.0
    assert sealing.open(old.seal("a text")) == "a text"
    assert "2026-11" not in in_force.problem


async def test_the_doctor_says_which_key_seals_and_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    key_ring.write(file, a_ring(file).with_new("2027-01"))

    async def verdict() -> tuple[Verdict, str, str]:
        settings = Settings(
            plane_url="http://plane.test",
            token_file=tmp_path / "token",
            state_dir=tmp_path,
            seal=SealSettings(keys_file=file),
        )
        [found] = [each async for each in doctor.check(Examination(settings))]
        return found.verdict, found.evidence, found.remedy

    assert await verdict() == (
        Verdict.OK,
        (
            f"{file} (mode 0600): values are sealed by frankfurt, key 2026-11 for plane.test; 2027-01 open as well; "
            "values of the plane without a seal are taken as they are"
        ),
        "",
    )
    file.chmod(0o604)
    refused = await verdict()
    assert refused[0] is Verdict.FAILED
    assert refused[2] == f"chmod 600 {file}"


def test_a_site_without_a_key_ring_cannot_demand_seals() -> None:
    with pytest.raises(ValidationError, match="required without a key ring"):
        SealSettings(required=True)


def test_a_file_left_beside_a_key_ring_does_not_open_it_to_others(tmp_path: Path) -> None:
    file, beside = tmp_path / "keys.toml", tmp_path / f".keys.toml.{os.getpid()}"
    beside.touch(mode=0o666)
    beside.chmod(0o666)
    with beside.open() as before:
        key_ring.write(file, KeyRing.new("frankfurt", "2026-11"))
        assert before.read() == ""
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "elsewhere"
    beside.unlink(missing_ok=True)
    beside.symlink_to(elsewhere)
    key_ring.write(file, KeyRing.new("frankfurt", "2026-11"))
    assert not elsewhere.exists()
    assert not file.is_symlink()
