"""A plane in memory, which keeps the rules an agent can notice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from tradewind_agent.kits import aiotime
from tradewind_agent.testing import attempts, http
from tradewind_agent.testing.records import FakeAttempt, FakeSession, LogReader
from tradewind_protocol import ids, paths, site, sites, versions
from tradewind_protocol.attempts import (
    Endings,
    EndingsTaken,
    Granted,
    HandBack,
    NotTaken,
    Outcome,
    Start,
    WorkKind,
)
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.logs import LogPiece, LogTaken
from tradewind_protocol.polling import Command, Poll, PollAnswer, Verb
from tradewind_protocol.sessions import Cadence, OpenSession, SessionOpened
from tradewind_protocol.site import AboutToken
from tradewind_protocol.states import AttemptState


class FakePlane:
    """The Remote Execution API, with the promises of `tradewind_protocol` and a list for a database."""

    def __init__(
        self, *, cadence: Cadence | None = None, prefix: str = "", airflow_version: str = "3.3.2"
    ) -> None:
        self.cadence = cadence or Cadence()
        self.airflow_version = airflow_version
        self.base_url = ""
        self.tokens = {ids.new_secret(ids.AGENT_TOKEN_PREFIX)}
        self.bad_tokens: dict[str, Code] = {}  # tokens this plane refuses, and as what
        self.sites: dict[str, str] = {}  # tokens of another site than the default one
        self.sessions: list[FakeSession] = []
        self.attempts: dict[UUID, FakeAttempt] = {}
        self.commands: dict[UUID, Command] = {}
        self.requests: list[tuple[str, str]] = []  # method and path under the prefix
        self.forwarded: list[
            tuple[str, str, dict[str, str], bytes]
        ] = []  # Execution API requests that arrived
        self.answer_execution: Callable[[str, str, bytes], tuple[int, Any]] = lambda method, path, body: (
            204,
            None,
        )
        self.token_expires_at: datetime | None = None
        self.reader: LogReader | None = None  # who gets the pieces of logs
        self.refuse: Callable[[str], Refused | None] = lambda path: None  # by path: break a verb
        self._prefix = prefix + paths.PREFIX
        self._news = asyncio.Event()
        self._changed = asyncio.Event()

    # ---- what a test does

    @property
    def token(self) -> str:
        return next(iter(self.tokens))

    @property
    def session(self) -> FakeSession:
        """The newest."""
        return self.sessions[-1]

    def queue(
        self, queue: str = "default", *, kind: WorkKind = WorkKind.TASK, **workload: Any
    ) -> FakeAttempt:
        """Make work."""
        attempt = FakeAttempt(id=uuid4(), queue=queue, workload=workload, kind=kind)
        self.attempts[attempt.id] = attempt
        self._wake()
        return attempt

    def command(self, verb: Verb, **arguments: Any) -> Command:
        """Ask the agent for something."""
        command = Command(id=uuid4(), verb=verb, arguments=arguments, reason="a test asks", asked_by="test")
        self.commands[command.id] = command
        self._wake()
        return command

    def take_back(self, attempt: FakeAttempt) -> None:
        """As if the scheduler had revoked it."""
        attempt.state = AttemptState.REVOKED
        self._wake()

    def end_session(self, why: str = "expired") -> None:
        """As if its token had become too old; what it holds stays its own."""
        self.session.ended = why
        self._wake()

    def give_up(self, session: FakeSession) -> None:
        """As if it had been silent for too long: what it holds is handed on or lost."""
        self._end(session, "has sent no poll")

    def expire(self, attempt: FakeAttempt) -> None:
        """As if its offer had not been confirmed in time."""
        attempts.expire(attempt)
        self._wake()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is true of the plane; looked at after every request."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # ---- the application

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path = scope["path"]
        try:
            if not path.startswith(self._prefix):
                await http.send(send, 404, {"detail": "Not Found"})
                return
            path = path.removeprefix(self._prefix)
            self.requests.append((scope["method"], path))
            if (refused := self.refuse(path)) is not None:
                raise refused
            status, answer = await self._answer(scope["method"], path, headers, body)
        except Refused as refused:
            status, answer = refused.status, refused.refusal
        except ValidationError as error:
            malformed = Refused(Code.MALFORMED, f"the request is not valid: {error.error_count()} errors")
            status, answer = malformed.status, malformed.refusal
        finally:
            self._wake(news=False)
        await http.send(send, status, answer, {versions.HEADER: str(versions.PROTOCOL)})

    async def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        http.check_protocol(headers.get(versions.HEADER.lower()))
        bearer = http.bearer(headers.get("authorization", ""))
        json_said = headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        if body and not json_said and not path.startswith(paths.EXECUTION):
            raise Refused(Code.MALFORMED, "the request does not say that it is JSON")
        if (method, path) == ("POST", paths.SESSIONS):
            return 200, self._open(bearer, OpenSession.model_validate_json(body))
        if (method, path) == ("GET", site.TOKEN):
            self._check_token(bearer)
            return 200, AboutToken(
                deployment="fake",
                token="fake",
                site=self.sites.get(bearer, sites.DEFAULT),
                expires_at=self.token_expires_at,
                airflow_version=self.airflow_version,
            )
        session = self._authenticate(bearer)
        if (method, path) == ("DELETE", paths.SESSIONS):
            self._end(session, "goodbye")
            return 204, None
        if path == paths.POLL:
            return 200, await self._poll(session, Poll.model_validate_json(body))
        if path.startswith(paths.EXECUTION):
            self.forwarded.append((method, path, headers, body))
            if path.endswith("/run"):
                self._run_of(session, headers.get(paths.ATTEMPT_HEADER.lower(), ""))
            return self.answer_execution(method, path, body)
        if path.startswith("/logs/"):
            wanted = (
                self.reader.take(LogPiece.model_validate_json(body)) if self.reader is not None else False
            )
            if wanted is None:
                raise Refused(Code.MISDIRECTED, "another API server has the reader")
            return 200, LogTaken(wanted=wanted)
        if path == paths.FINISH:
            return 200, self._finish_all(session, Endings.model_validate_json(body))
        if found := re.fullmatch(r"/attempts/([^/]+)/(start|finish|hand-back)", path):
            try:
                attempt_id = UUID(found[1])
            except ValueError:
                raise Refused(Code.MALFORMED, "that is no attempt id") from None
            return self._attempt_verb(session, attempt_id, found[2], body)
        raise Refused(Code.NOT_FOUND, f"no {path}")

    def _open(self, token: str, asked: OpenSession) -> SessionOpened:
        self._check_token(token)
        own = self.sites.get(token, sites.DEFAULT)
        earlier = [each for each in self.sessions if each.opened.agent_id == asked.agent_id]
        if any(each.site != own for each in earlier):
            raise Refused(Code.WRONG_SITE, f"the agent id {asked.agent_id} is that of another site's agent")
        if earlier and earlier[-1].opened.agent_key not in ("", asked.agent_key):
            raise Refused(Code.SESSION_FENCED, f"the agent id {asked.agent_id} is another agent's")
        mine = [each for each in self.sessions if each.opened.agent_id == asked.agent_id and not each.ended]
        same = next((each for each in mine if each.opened.instance == asked.instance), None)
        fresh = FakeSession(id=uuid4(), token="", opened=asked, site=own) if same is None else same
        for other in mine:
            if other is not same:
                self._keep_unreported(other, fresh, asked)
                other.fenced = True
                self._end(other, "was started again")
        if same is None:
            self.sessions.append(fresh)
        if fresh.token:
            fresh.former_tokens.add(fresh.token)
        fresh.token = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
        return SessionOpened(
            session_id=fresh.id,
            session_token=fresh.token,
            deployment="fake",
            cadence=self.cadence,
            airflow_version=self.airflow_version,
            base_url=self.base_url,
            site=own,
            policy=asked.policy,
        )

    def _check_token(self, token: str) -> None:
        if not ids.has_form_of(token, ids.AGENT_TOKEN_PREFIX):
            raise Refused(Code.TOKEN_MALFORMED, "what was sent is not an agent token")
        if token in self.bad_tokens:
            raise Refused(self.bad_tokens[token], "the token is not good", remedy="Make a new one")
        if token not in self.tokens:
            raise Refused(
                Code.TOKEN_UNKNOWN, "this plane has never issued that token", remedy="Make a new one"
            )

    def _keep_unreported(self, old: FakeSession, new: FakeSession, asked: OpenSession) -> None:
        for ref in asked.unreported:
            known = self.attempts.get(ref.attempt_id)
            if (
                known is not None
                and known.state is AttemptState.RUNNING
                and (known.session_id, known.epoch) == (old.id, ref.epoch)
            ):
                known.session_id = new.id

    def _authenticate(self, token: str) -> FakeSession:
        if not ids.has_form_of(token, ids.SESSION_TOKEN_PREFIX):
            raise Refused(Code.TOKEN_MALFORMED, "what was sent is not a session token")
        session = next(
            (each for each in self.sessions if token == each.token or token in each.former_tokens), None
        )
        if session is None:
            raise Refused(Code.SESSION_UNKNOWN, "no such session")
        if session.fenced:
            raise Refused(Code.SESSION_FENCED, "a newer session of this agent is open")
        if session.ended:
            raise Refused(Code.SESSION_EXPIRED, f"the session ended: {session.ended}")
        return session

    async def _poll(self, session: FakeSession, poll: Poll) -> PollAnswer:
        loop = asyncio.get_running_loop()
        session.polls.append((loop.time(), poll))
        self._wake(news=False)
        for done in poll.carried_out:
            self.commands.pop(done, None)
        mine = len(session.polls)
        until = loop.time() + (self.cadence.poll if poll.hold is None else poll.hold)
        while True:
            self._news.clear()
            self._authenticate(session.token)
            # A newer poll of the session stands for all: the older one is answered with nothing.
            current = len(session.polls) == mine
            answer = self._news_for(session, poll) if current else PollAnswer()
            left = until - loop.time()
            if answer != PollAnswer() or not current or left <= 0:
                return answer
            try:
                await aiotime.within(self._news.wait(), left)
            except asyncio.TimeoutError:
                continue

    def _news_for(self, session: FakeSession, poll: Poll) -> PollAnswer:
        now = asyncio.get_running_loop().time()
        unknown = attempts.unknown(self.attempts, session, poll)  # as it was before anything is offered
        offers = attempts.offers(self.attempts.values(), session, poll, now=now, within=self.cadence.offer)
        return PollAnswer(offers=offers, commands=tuple(self.commands.values()), unknown=unknown)

    def _attempt_verb(
        self, session: FakeSession, attempt_id: UUID, verb: str, body: bytes
    ) -> tuple[int, Any]:
        attempt = self.attempts.get(attempt_id)
        if attempt is None:
            raise Refused(Code.ATTEMPT_UNKNOWN, "no such attempt")
        kinds: dict[str, type[Start | Outcome | HandBack]] = {
            "start": Start,
            "finish": Outcome,
            "hand-back": HandBack,
        }
        message = kinds[verb].model_validate_json(body)
        if isinstance(message, HandBack):
            if attempts.hand_back(attempt, session, message):
                self._wake()
            return 204, None
        if isinstance(message, Outcome):
            attempts.finish(attempt, session, message)
            return 204, None
        attempts.start(attempt, session, message.epoch)
        return 200, Granted(attempt_id=attempt.id, epoch=attempt.epoch)

    def _run_of(self, session: FakeSession, header: str) -> None:
        """What a task's supervisor asks first, and the plane grants with. Attempts a test has made up are let pass."""
        named, _, epoch = header.partition(":")
        attempt = next((one for one in self.attempts.values() if str(one.id) == named), None)
        if attempt is not None:
            attempts.start(attempt, session, int(epoch))

    def _finish_all(self, session: FakeSession, asked: Endings) -> EndingsTaken:
        refused = []
        for one in asked.endings:
            try:
                if (attempt := self.attempts.get(one.attempt_id)) is None:
                    raise Refused(Code.ATTEMPT_UNKNOWN, "no such attempt")
                attempts.finish(attempt, session, one.outcome)
            except Refused as no:
                refused.append(NotTaken(attempt_id=one.attempt_id, refusal=no.refusal))
        return EndingsTaken(refused=tuple(refused))

    def _end(self, session: FakeSession, why: str) -> None:
        session.ended = why
        attempts.lose(self.attempts.values(), session)
        self._wake()

    def _wake(self, *, news: bool = True) -> None:
        if news:
            self._news.set()
        self._changed.set()
