"""Replacing an author's text in a serialized Dag, place by place: what every part of the reduction works with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tradewind_protocol.boundary.dag_fields import TYPE, VAR
from tradewind_protocol.boundary.notices import NOTICE_KEY, Digest, is_notice, notice
from tradewind_protocol.boundary.sealing import Seal, has_seal, is_sealed, seal_only, sealed


@dataclass(frozen=True)
class KeptField:
    """A field its owner lets leave although the policy is strict: `BashOperator:bash_command`, `dag:doc_md`, `param:day`.

    `of` is a pattern (`*`, `?`) for an operator's class, with or without its module, or one of `dag`, `task_group`,
    `asset`, `param` and `timetable`; `name` is a pattern for the field, or for the param's name.
    """

    of: str
    name: str

    @classmethod
    def parse(cls, text: str) -> KeptField:
        """Raises ValueError when `text` is not of the form `pattern:field`."""
        of, colon, name = text.strip().rpartition(":")
        if not colon or not of or not name:
            raise ValueError(
                f"{text!r} names no field of a Dag; write an operator's class and a field, such as "
                "BashOperator:bash_command, or dag:doc_md"
            )
        return cls(of, name)

    def __str__(self) -> str:
        return f"{self.of}:{self.name}"


def is_nothing(value: Any) -> bool:
    """Nothing, or something empty, encoded or not."""
    if isinstance(value, dict) and set(value) == {TYPE, VAR}:
        value = value[VAR]
    return value is None or value in ("", [], {})


@dataclass
class Text:
    """The text of one Dag: what may be said of it, and what was replaced so far."""

    dag_id: str
    digest: Digest
    seal: Seal | None = None
    kept: Sequence[KeptField] = ()
    replaced: list[str] = field(default_factory=list)
    has_sealed: bool = False  # some arguments are in sealed form

    def leaves(self, of: Iterable[str], name: str) -> bool:
        """Whether the owner lets this field leave; `of` are the names its object goes by."""
        return any(
            fnmatchcase(name, one.name) and any(fnmatchcase(each, one.of) for each in of) for one in self.kept
        )

    def stays(self, value: Any, *place: str, shared: bool = False) -> Any:
        """The notice that stands for `value` at `place`. A notice, or nothing, stays what it is. `shared`: the same
        notice in every Dag, as of an asset, which several of them may name."""
        if is_nothing(value) or (isinstance(value, str) and is_notice(value)):
            return value
        self.replaced.append(" ".join(place))
        return notice(self.digest, *(() if shared else (self.dag_id,)), *place, value=value)

    def sealed(self, arguments: Any, bound: Any, *place: str, shared: bool = False) -> Any:
        """Arguments that the site gets back, in sealed form, for `bound` only; a notice where there is no key. That there
        are none is sealed as well."""
        if has_seal(arguments):
            self.has_sealed = True
            if not is_sealed(arguments):
                self.replaced.append(" ".join(place))
            return seal_only(arguments)
        if is_notice(arguments) or (self.seal is None and is_nothing(arguments)):
            return arguments
        self.replaced.append(" ".join(place))
        whose = place if shared else (self.dag_id, *place)
        if self.seal is None:
            return {NOTICE_KEY: notice(self.digest, *whose, value=arguments)}
        self.has_sealed = True
        return sealed(self.seal, str(bound), whose, {} if is_nothing(arguments) else arguments)

    def left_out(self, fields: dict[str, Any], doc: Any, *place: str) -> Any:
        """What stands in the `doc_md` of an object of which `fields` were left out."""
        if not fields:
            return self.stays(doc, *place, "doc_md")
        self.replaced.extend(" ".join((*place, name)) for name in fields)
        return notice(self.digest, self.dag_id, *place, value={**fields, "doc_md": doc})
