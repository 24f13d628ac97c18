"""Each `tradewind` and `tradewind-agent` command that a page has is one that there is, with these options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tradewind.cli import main as tradewind
from tradewind_agent.cli.main import main as tradewind_agent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "adr"),
    *sorted((ROOT / "packages").glob("*/README.md")),
    *sorted((ROOT / "deploy").rglob("NOTES.txt")),
]
ROOTS = {"tradewind": tradewind, "tradewind-agent": tradewind_agent}
TITLES = {"attempt", "worker", "dag", "triggerer"}
"""What follows `tradewind` in titles of processes."""
_FENCED = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# At the beginning of a line or of a substitution, after a pipe or a variable, or with a path before it.
_COMMAND = re.compile(
    r"(?:^|[|(;&]\s*|\bexec )(?:\$ |[A-Z_]+=\S+ |[\w./-]+/bin/)*(tradewind(?:-agent)?) (?=[a-z-])(.*)"
)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The program and the words of each command, up to the end of its line or the next program."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _FENCED.findall(text) for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _FENCED.sub("", text))]
    if page.suffix == ".txt":
        lines += text.splitlines()
    for line in lines:
        for found in _COMMAND.finditer(line.strip()):
            words = _words(found[2])
            if words[0] not in TITLES:
                yield found[1], words


def _words(text: str) -> list[str]:
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # a quote that is closed on another line
        words = text.split()
    end = next((at for at, word in enumerate(words) if re.fullmatch(r"[|&;<>()]+", word)), len(words))
    return words[:end]


def problem(program: str, words: list[str]) -> str:
    """What of the command there is not. Words in capitals, with an ellipsis or in brackets stand for something."""
    command: click.Command = ROOTS[program]
    context = click.Context(command, info_name=program)
    rest = iter(words)
    for word in rest:
        if word.startswith("-") and len(word) > 1:
            name, _, given = word.partition("=")
            known = {each: option for option in command.get_params(context) for each in option.opts}
            known |= {
                each: option for option in command.get_params(context) for each in option.secondary_opts
            }
            if name not in known:
                return f"`{context.command_path}` has no option {name}"
            option = known[name]
            if not given and not getattr(option, "is_flag", False):
                next(rest, None)
        elif isinstance(command, click.Group):
            if not re.fullmatch(r"[a-z-]+", word):
                return ""
            inner = command.get_command(context, word)
            if inner is None:
                return f"`{context.command_path}` has no command {word!r}"
            command, context = inner, click.Context(inner, info_name=word, parent=context)
    return ""


# The first page that names a command of the platform imports all of the platform.
@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_has_commands_and_options_that_exist(page: Path) -> None:
    found = {f"{program} {' '.join(words)}": problem(program, words) for program, words in commands(page)}
    assert {command: why for command, why in found.items() if why} == {}


def test_most_commands_are_looked_at() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 300


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("tradewind agents drain NAME --reason 'a kernel'", ""),
        ("tradewind -o json --deployment sales agents list", ""),
        ("tradewind agents dry NAME", "`tradewind agents` has no command 'dry'"),
        ("tradewind agents drain NAME --why 'a kernel'", "`tradewind agents drain` has no option --why"),
        ("tradewind-agent doctor --expect-privat", "`tradewind-agent doctor` has no option --expect-privat"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, why: str) -> None:
    program, _, rest = line.partition(" ")
    assert problem(program, _words(rest)) == why
