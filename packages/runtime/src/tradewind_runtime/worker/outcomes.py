"""How an attempt ended, in words a person understands."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import datetime

from tradewind_protocol.attempts import CanaryMarks, Outcome
from tradewind_protocol.states import OutcomeKind

_WORDS: dict[int, str] = {
    signal.SIGKILL: "killed from outside, often for want of memory",
    signal.SIGTERM: "asked to stop",
    signal.SIGINT: "interrupted",
    signal.SIGSEGV: "crashed in native code (segmentation fault)",
    signal.SIGBUS: "crashed in native code (bus error), often a full disk or a truncated file",
    signal.SIGABRT: "aborted itself in native code",
    signal.SIGFPE: "crashed in native code (arithmetic error)",
    signal.SIGILL: "ran an instruction this CPU does not have: a package built for another machine",
    signal.SIGXCPU: "used more CPU time than it may",
    signal.SIGHUP: "its terminal or parent went away",
}


@dataclass(frozen=True)
class Ending:
    """The facts, as the prefork process saw them."""

    started_at: datetime
    ended_at: datetime
    wait_status: int  # of the supervisor, as from waitpid
    word: dict[str, object] | None  # what the supervisor said last; None when it said nothing
    stop_reason: str | None = None  # None: it was not asked to stop
    out_of_memory: str = ""  # whose memory ran out, when the kernel counted a kill meanwhile
    unkillable: tuple[int, ...] = ()


def outcome(ending: Ending, *, epoch: int) -> Outcome:
    """The outcome to report."""
    kind, exit_code, number, reason = _judge(ending)
    if ending.unkillable:
        pids = ", ".join(map(str, ending.unkillable))
        reason = f"{reason}; still there and not killable: process {pids}".lstrip("; ")
    return Outcome(
        epoch=epoch,
        kind=kind,
        exit_code=exit_code,
        signal=None if number is None else _name(number),
        reason=reason[:4000],
        rule=str(ending.word.get("rule", "")) if kind is OutcomeKind.FAILED and ending.word else "",
        canary=_canary(ending.word),
        started_at=ending.started_at,
        ended_at=ending.ended_at,
    )


def _canary(word: dict[str, object] | None) -> CanaryMarks | None:
    marks = word.get("canary") if word is not None else None
    return CanaryMarks.model_validate(marks) if marks is not None else None


def _judge(ending: Ending) -> tuple[OutcomeKind, int | None, int | None, str]:
    exit_code, number, reason = _facts(ending)
    if ending.stop_reason is not None:
        asked = ending.stop_reason or "asked to stop"
        return OutcomeKind.STOPPED, exit_code, number, asked
    if ending.word is not None and (unwanted := ending.word.get("unwanted")):
        return OutcomeKind.STOPPED, exit_code, number, str(unwanted)
    if ending.word is not None and (refused := ending.word.get("refused")):
        return OutcomeKind.FAILED, exit_code, number, str(refused)
    if exit_code == 0:
        return OutcomeKind.SUCCEEDED, exit_code, None, ""
    return OutcomeKind.FAILED, exit_code, number, reason


def _facts(ending: Ending) -> tuple[int | None, int | None, str]:
    """Exit code, signal, reason; the exit code is None when a signal ended it or no process of the task ran."""
    if ending.wait_status & 0x7F:  # WIFSIGNALED, also where os has no such function
        number = ending.wait_status & 0x7F
        return None, number, _killed("the attempt's supervisor", number, ending.out_of_memory)
    own_code = ending.wait_status >> 8
    if ending.word is None:
        return (
            own_code or None,
            None,
            f"the attempt's supervisor exited without a word (exit code {own_code})",
        )
    if problem := ending.word.get("problem"):
        return None, None, str(problem)
    code = int(str(ending.word.get("exit_code", 1)))
    if code < 0:
        return None, -code, _killed("the task's process", -code, ending.out_of_memory)
    return code, None, "" if code == 0 else f"the task's process exited with code {code}; see its log"


def _killed(who: str, number: int, out_of_memory: str) -> str:
    if number == signal.SIGKILL and out_of_memory:
        return f"{who} was killed by SIGKILL: {out_of_memory}"
    words = _WORDS.get(number)
    return f"{who} was killed by {_name(number)}" + (f": {words}" if words else "")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def whose_memory(before: tuple[int, int], after: tuple[int, int]) -> str:
    """Compare two counts of `kernel.out_of_memory_kills`."""
    if after[0] > before[0]:
        return "the container's memory limit was reached"
    if after[1] > before[1]:
        return "the machine ran out of memory"
    return ""
