"""Each code of a refusal has its status, its words, and a place in what an agent does about it."""

from __future__ import annotations

from tradewind_protocol import errors
from tradewind_protocol.errors import Code
from tradewind_protocol.explanations import EXPLANATIONS


def test_every_code_has_a_status_and_an_explanation() -> None:
    assert set(errors.STATUS) == set(Code) == set(EXPLANATIONS)
    assert all(400 <= status < 600 for status in errors.STATUS.values())
    assert all(one.cause and one.remedy for one in EXPLANATIONS.values())


def test_no_code_is_both_cured_by_a_new_session_and_by_a_person() -> None:
    assert not errors.FATAL_FOR_AGENT & errors.REOPEN_SESSION
