"""Agent and plane of different versions: they work together, or say which of them to upgrade."""

from __future__ import annotations

import pytest

from faults.fleet import Fleet, in_full
from support.journal import ran_once
from support.patience import stretched
from tradewind.embedded import agent
from tradewind_protocol import versions

SPEAKING = (
    "import tradewind_protocol.versions as v, runpy; v.PROTOCOL = v.Version({major}, {minor}); "
    "runpy.run_module('tradewind_agent', run_name='__main__', alter_sys=True)"
)


def speaking(fleet: Fleet, version: versions.Version, *, ready: bool) -> agent.Agent:
    code = SPEAKING.format(major=version.major, minor=version.minor)
    return fleet.agent("other", code=code, ready=ready)


@in_full
@pytest.mark.parametrize("apart", [1, -1])
def test_one_minor_apart_works(fleet: Fleet, apart: int) -> None:
    ours = versions.PROTOCOL
    if ours.minor + apart < 0:
        pytest.skip("there is no earlier minor")
    speaking(fleet, versions.Version(ours.major, ours.minor + apart), ready=True)
    run_id = fleet.start("work_4", seconds=0)
    assert fleet.finished("work_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)


@pytest.mark.parametrize("apart", [(1, 0), pytest.param((0, 2), marks=in_full)])
def test_too_far_apart_is_refused_with_both_versions_and_what_to_upgrade(
    fleet: Fleet, apart: tuple[int, int]
) -> None:
    ours = versions.PROTOCOL
    theirs = versions.Version(ours.major + apart[0], ours.minor + apart[1])
    made = speaking(fleet, theirs, ready=False)
    assert made.process.wait(stretched(20)) != 0
    said = made.process.tail()
    assert f"agent speaks protocol {theirs}" in said
    assert f"plane speaks {ours}" in said
    assert "upgrade the orchestration plane" in said
