"""The site's key: one for all its agents, never shown, and what is sealed under it opens nowhere else."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.state.site_key import SiteKey, read_key


def test_an_agent_alone_makes_its_key_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    key = read_key(tmp_path)
    assert read_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["site.key"]


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_agents_that_share_a_folder_have_one_key_even_when_they_start_together(
    tmp_path: Path, scheme: str
) -> None:
    shared = tmp_path / "not" / "there yet"
    states = [tmp_path / f"agent-{number}" for number in range(8)]
    for state in states:
        state.mkdir()
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda state: read_key(state, storage=f"{scheme}{shared}"), states))
    assert len(keys) == 1
    assert read_key(states[0], storage="s3://bucket/prefix") not in keys  # no folder: its own


def test_a_named_file_wins_and_a_short_or_missing_one_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a" * 40 + "\n")
    assert read_key(tmp_path, file=file, storage=str(tmp_path)) == b"a" * 40
    file.write_text("short")
    with pytest.raises(SettingsWrong, match="has 5 characters") as refused:
        read_key(tmp_path, file=file)
    assert "openssl rand -hex 32" in str(refused.value.remedy)
    assert "short" not in str(refused.value)
    with pytest.raises(SettingsWrong, match="cannot be read"):
        read_key(tmp_path, file=tmp_path / "absent")


def test_what_is_sealed_opens_under_the_same_key_only() -> None:
    one, other = SiteKey(b"one of the keys of two sites"), SiteKey(b"the other one")
    sealed = one.seal("a text")
    assert one.seal("a text") == sealed, "a Dag's version stays while its text does"
    assert one.open(sealed) == "a text"
    assert other.open(sealed) is None
    assert one.open(sealed[:-4] + "AAAA") is None
    assert one.open("no seal at all") is None
    assert one.fingerprint != other.fingerprint
    assert "one of" not in repr(one)
