"""The typed client of the Remote Execution API."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
import structlog

from tradewind_agent.errors import Fenced, PlaneUnreachable, RefusedForGood
from tradewind_agent.http.responses import (
    PlaneResponse,
    is_success,
    nearest_code,
    refusal_in,
)
from tradewind_agent.plane import retry
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.plane.exchange import Exchange, SentRequest
from tradewind_agent.plane.reachability import Reachability
from tradewind_agent.plane.transport import Transport
from tradewind_protocol import logs, paths, stored_runs, versions
from tradewind_protocol.attempts import AttemptRef, Ended, Endings, EndingsTaken, Granted, HandBack, Start
from tradewind_protocol.boundary import carried
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.logs import LogPiece, LogTaken
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import Poll, PollAnswer
from tradewind_protocol.sessions import Cadence, OpenSession, SessionOpened
from tradewind_protocol.stored_runs import AskRuns, RunFates

log = structlog.get_logger(__name__)
M = TypeVar("M", bound=Message)

_MOST_LATE = 20.0  # seconds a held poll may be late before the connection counts as dead


class PlaneClient:
    """Everything the agent asks of the plane, over one pool of connections.

    A verb sends its request once, or a second time after the session had to be opened anew; waiting and trying again
    is its caller's business, since only the caller knows for how long that makes sense. Each raises PlaneUnreachable
    (may be tried again), Refused (the plane's answer), RefusedForGood or Fenced (the agent ends).
    """

    def __init__(
        self,
        *,
        url: str,
        token: AgentToken,
        introduction: Callable[[], OpenSession],
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._introduction = introduction
        self._exchange = Exchange(self.url, transport=transport, tls=tls, proxy=proxy, timeout=timeout)
        self._session: SessionOpened | None = None
        self._session_token = ""
        self._opening = asyncio.Lock()
        self._opened = asyncio.Event()
        self._cadence = Cadence()

    async def __aenter__(self) -> PlaneClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.aclose()

    # ---- state others read

    @property
    def reachability(self) -> Reachability:
        return self._exchange.reachability

    @property
    def on_sent(self) -> Callable[[SentRequest], None] | None:
        """Called once for every request that left."""
        return self._exchange.on_sent

    @on_sent.setter
    def on_sent(self, called: Callable[[SentRequest], None] | None) -> None:
        self._exchange.on_sent = called

    @property
    def session(self) -> SessionOpened | None:
        """The session as it was opened; None before the first one and while it has to be opened anew."""
        return self._session

    @property
    def cadence(self) -> Cadence:
        """Every interval, as the plane last said; the protocol's defaults until it has said anything."""
        return self._cadence

    @property
    def reachable(self) -> bool:
        return self.reachability.reachable

    @property
    def last_success(self) -> float | None:
        """Loop time of the last answer of the plane."""
        return self.reachability.last_success

    async def wait_reachable(self) -> None:
        """Return once the plane answers; at once while it does."""
        await self.reachability.wait()

    async def wait_session(self) -> None:
        """Return once a session has been opened for the first time."""
        await self._opened.wait()

    # ---- verbs

    async def ensure_session(self) -> SessionOpened:
        """The session, opened if there is none. Idempotent; one request however many ask at once."""
        async with self._opening:
            if self._session is None:
                await self._open()
            assert self._session is not None
            return self._session

    async def renew_if_token_changed(self) -> None:
        """Open the session again when the token file holds another token: same instance, so the same session."""
        if self._token.changed():
            log.info("The agent token has changed", action="token_changed")
            async with self._opening:
                await self._open()

    async def poll(self, poll: Poll) -> PollAnswer:
        await self.ensure_session()  # it says how long a poll is held
        hold = self.cadence.poll if poll.hold is None else poll.hold
        response = await self._verb(
            "POST",
            paths.POLL,
            poll,
            timeout=hold + self._lateness(hold),
            carries=(carried.FINDINGS,) if poll.findings else (),
        )
        answer = self._decode(PollAnswer, response)
        if answer.session_token:
            self._session_token = answer.session_token
        return answer

    async def start(self, ref: AttemptRef) -> Granted:
        response = await self._verb("POST", paths.start(ref.attempt_id), Start(epoch=ref.epoch))
        return self._decode(Granted, response)

    async def finish(self, endings: Sequence[Ended]) -> EndingsTaken:
        """Report how several attempts ended; says which outcomes the plane refused."""
        message = Endings(endings=tuple(endings))
        said = any(one.outcome.reason for one in endings)
        response = await self._verb("POST", paths.FINISH, message, carries=(carried.REASONS,) if said else ())
        return self._decode(EndingsTaken, response)

    async def decline(self, ref: AttemptRef, *, reason: str) -> None:
        await self._verb(
            "POST", paths.hand_back(ref.attempt_id), HandBack(epoch=ref.epoch, reason=reason[:4000])
        )

    async def send_log(
        self, stream_id: UUID, piece: LogPiece, *, transport: Transport | None = None
    ) -> LogTaken:
        """Send a piece of a log that a reader has open, over `transport` when given."""
        carries = (carried.LOG_LINES,) if piece.content else ()
        response = await self._verb(
            "POST", logs.path_of(stream_id), piece, transport=transport, carries=carries
        )
        return self._decode(LogTaken, response)

    async def fates(self, ask: AskRuns) -> RunFates:
        """What becomes of runs that values are stored of. Changes nothing."""
        return self._decode(RunFates, await self._verb("POST", stored_runs.PATH, ask))

    def own_connection(self) -> Transport:
        """A connection of its own: it reaches whichever API server the load balancer chooses."""
        return self._exchange.own_transport()

    async def close_session(self) -> None:
        """End the session. Does nothing when there is none."""
        if self._session is not None:
            await self._exchange.ask("DELETE", paths.SESSIONS, {}, b"", bearer=self._session_token)
            self._session = None

    async def forward(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        timeout: float | None = None,
    ) -> PlaneResponse:
        """Send a request of a process or an attempt, and return the plane's answer whatever its status.

        `path` is under the protocol's prefix, with its query. Authorization is replaced by the session's. A refusal
        of the plane is returned like any answer, except that a session the plane no longer knows is opened anew
        first. Raises PlaneUnreachable when no plane answered or it says that it cannot serve just now.
        """
        passed = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED}
        for again in (True, False):
            session = await self.ensure_session()
            response = await self._exchange.ask(
                method, path, passed, content, bearer=self._session_token, timeout=timeout
            )
            refused = refusal_in(response)
            if refused is None:
                break
            if again and self._cured_by_a_new_session(refused):
                self._forget(session)
                continue
            if refused.code is Code.UNAVAILABLE:
                raise PlaneUnreachable(f"the plane cannot serve just now: {refused.refusal.message}")
            break
        return response

    async def deliver(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send a kept request. Returns when the plane has taken it; raises as any verb."""
        response = await self.forward(method, path, headers, body)
        if is_success(response):
            return
        refused = refusal_in(response) or Refused(
            nearest_code(response.status_code), f"the plane answered {response.status_code}"
        )
        self._end_if_fatal(refused)
        raise refused

    # ---- inside

    async def _verb(
        self,
        method: str,
        path: str,
        message: Message,
        *,
        timeout: float | None = None,
        transport: Transport | None = None,
        carries: tuple[str, ...] = (),
    ) -> PlaneResponse:
        body = message.model_dump_json().encode()
        headers = {"Content-Type": "application/json", paths.REQUEST_HEADER: str(uuid4())}
        for again in (True, False):
            session = await self.ensure_session()
            response = await self._exchange.ask(
                method,
                path,
                headers,
                body,
                bearer=self._session_token,
                timeout=timeout,
                transport=transport,
                carries=carries,
            )
            try:
                retry.check(response)
            except Refused as refused:
                if not (again and self._cured_by_a_new_session(refused)):
                    self._end_if_fatal(refused)
                    raise
                log.warning(
                    "The session must be opened again", action="session_reopened", reason=str(refused)
                )
                self._forget(session)
            else:
                break
        return response

    async def _open(self) -> None:
        body = self._introduction().model_dump_json().encode()
        headers = {"Content-Type": "application/json", paths.REQUEST_HEADER: str(uuid4())}
        try:
            response = await self._exchange.ask(
                "POST", paths.SESSIONS, headers, body, bearer=self._token.read(), carries=(carried.FACTS,)
            )
            retry.check(response)
        except Refused as refused:
            self._end_if_fatal(refused)
            raise
        opened = self._decode(SessionOpened, response)
        self._session, self._session_token, self._cadence = opened, opened.session_token, opened.cadence
        self._opened.set()
        self._exchange.names_itself = versions.HEADER in response.headers
        log.info(
            "Session open",
            action="session_opened",
            session=str(opened.session_id),
            deployment=opened.deployment,
        )

    def _decode(self, answer: type[M], response: PlaneResponse) -> M:
        try:
            return answer.model_validate_json(response.content)
        except ValueError as error:
            # Retried whatever its status: most likely a middlebox answered instead of the plane.
            failure = PlaneUnreachable(
                f"{retry.place(str(response.url))} answered {response.status_code}"
                f" with JSON that is not a {answer.__name__}",
                remedy="Check plane_url; something else than an orchestration plane may be there",
            )
            self.reachability.failed(failure.message)
            raise failure from error

    def _lateness(self, hold: float) -> float:
        """Seconds the answer to a poll may be late: so few that the next poll is in time although this one was sent
        into nothing."""
        return min(_MOST_LATE, max(1.0, 0.4 * (self.cadence.lost_after - hold)))

    def _forget(self, session: SessionOpened) -> None:
        """Drop `session`, unless a newer one has been opened meanwhile."""
        if self._session is session:
            self._session = None

    def _cured_by_a_new_session(self, refused: Refused) -> bool:
        """True when the session is over, or its agent token is and there is another one in the token file."""
        judged = retry.verdict(refused)
        return judged is retry.Verdict.REOPEN or (
            judged is retry.Verdict.STOP_AGENT and self._token.changed()
        )

    @staticmethod
    def _end_if_fatal(refused: Refused) -> None:
        judged = retry.verdict(refused)
        if judged is retry.Verdict.STOP_AGENT:
            raise RefusedForGood(refused) from refused
        if judged is retry.Verdict.FENCED:
            raise Fenced(
                f"another process has this agent's identity, and nothing may run here any more: {refused.refusal.message}",
                remedy=refused.refusal.remedy
                or "Give each agent its own state directory; never copy one from machine to machine",
            ) from refused

    def __repr__(self) -> str:
        return f"<PlaneClient of {retry.place(self.url)}>"


_NOT_PASSED = frozenset(
    {
        "authorization",
        "host",
        "content-length",
        "connection",
        "expect",
        "transfer-encoding",
        "accept-encoding",
        "user-agent",
    }
    | {versions.HEADER.lower()}
)
