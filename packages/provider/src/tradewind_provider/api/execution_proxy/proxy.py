"""The root middleware."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from sqlalchemy.exc import OperationalError
from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import boundary, paths, versions
from tradewind_protocol.boundary import Caller, Change, LocalAnswer, Owner, Rejection, RouteMatch, Rules
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import notifications, settings
from tradewind_provider.airflow import database, execution_api
from tradewind_provider.api import bodies, transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.attempt_authorizer import AUTHORIZER, AttemptAuthorizer, AttemptCaller
from tradewind_provider.api.execution_proxy.concurrency_limiter import ConcurrencyLimiter
from tradewind_provider.api.execution_proxy.dag_access import DagAccessCheck
from tradewind_provider.api.ingress import admission
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services.agents import Agent

log = logging.getLogger(__name__)

ROOT: Final = paths.PREFIX.rsplit("/", 1)[0]
EXECUTION: Final = paths.PREFIX + paths.EXECUTION
_ATTEMPTS: Final = paths.PREFIX + "/attempts/"
_TAKEN_OFF: Final = frozenset(
    {b"authorization", b"cookie", b"content-length", b"transfer-encoding", b"expect"}
)
_WITH_HOST_NAME: Final = frozenset({"ti.run", "ti.heartbeat"})
_KEPT_BACK: Final = frozenset({b"refreshed-api-token", b"set-cookie", b"www-authenticate"})


class Door:
    """ASGI middleware around the whole API server. What is not an agent's passes untouched."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock = utc_now,
        largest_body: Callable[[], int] | None = None,
        tokens: execution_api.ExecutionTokens | None = None,
        execution: execution_api.ExecutionApi | None = None,
        holders: AttemptAuthorizer | None = None,
        dag_access: DagAccessCheck | None = None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._largest_body = largest_body or (lambda: settings.current().cadence.largest_body)
        self._tokens = tokens or execution_api.ExecutionTokens()
        self._holders = holders or AUTHORIZER
        self._dag_access = dag_access or DagAccessCheck()
        self._admission = admission.Admission(clock)
        self._turns = ConcurrencyLimiter(at_once=database.connections)
        self._execution_api = execution or execution_api.ExecutionApi()
        self._compressed = GZipMiddleware(
            self._hand_on, minimum_size=1024, compresslevel=5
        )  # as Airflow's own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._warming(scope, send))
            return
        path = get_route_path(scope) if scope["type"] == "http" else ""
        if path != ROOT and not path.startswith(ROOT + "/"):
            await self._app(scope, receive, send)
            return
        send = bodies.signed(send, without=_KEPT_BACK)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if path.startswith(EXECUTION + "/"):
                await self._execution(scope, receive, watched, path.removeprefix(EXECUTION))
            else:
                await self._own(scope, receive, watched, path)
        except Refused as refused:
            await bodies.refuse(send, refused)
        except bodies.ClientGone:
            return
        except Exception as error:
            if started:
                raise
            # A database that is away is not a defect: the agent waits and asks again.
            away = isinstance(error, OperationalError)
            log.log(
                logging.WARNING if away else logging.ERROR,
                "%s %s failed in the execution API proxy",
                scope["method"],
                path,
                exc_info=not away,
                extra={"action": "door_failed"},
            )
            code = Code.UNAVAILABLE if away else Code.INTERNAL
            await bodies.refuse(send, Refused(code, "the plane cannot serve this request just now"))

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the application itself where it can be found, else through all that Airflow puts around it."""
        if (mount := execution_api.mount_of(scope)) is not None:
            await self._execution_api.answer(mount, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _warming(self, scope: Scope, send: Send) -> Send:
        """A `send` for the server's start: before it says that it is ready, what is built late has been built."""

        async def on(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self._execution_api.start(scope)
                except Exception:
                    log.warning(
                        "The Execution API was not warmed", exc_info=True, extra={"action": "warming_failed"}
                    )
            await send(message)

        return on

    # ---- our own verbs

    async def _own(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if admission.has_body(scope):
            verb = path.removeprefix(paths.PREFIX)
            await self._admission.check(scope, verb)
            largest = admission.largest(verb, deployment=self._largest_body())
            receive = admission.timely(receive)
            if not bodies.check_length(scope, largest=largest):
                receive = bodies.replay(await bodies.read(scope, receive, largest=largest), receive)
        if path.startswith(_ATTEMPTS):
            await self._hand_on(scope, receive, send)
        else:  # offers, Dags and triggers may be large
            await self._compressed(scope, receive, send)

    # ---- Airflow's

    async def _execution(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        method = scope["method"]
        agent = await self._agent(scope)
        body = await bodies.read(scope, admission.timely(receive), largest=self._largest_body())
        found = boundary.classify(method, path)
        speaker = await self._holders.speaker(
            agent,
            bodies.header(scope, paths.ATTEMPT_HEADER.lower().encode()),
            starts=_starts(found),
            now=self._clock(),
        )
        judged = self._judge(agent, speaker, method, path, found, body)
        if isinstance(judged, LocalAnswer):
            await bodies.answer(send, judged.status, judged.body)
            return
        if found is not None:
            await self._dag_access.check(agent, speaker.caller, speaker.subject, found, scope["query_string"])
        if found is not None and found.route.name in _WITH_HOST_NAME:
            judged = _named(judged, speaker)
        subject = await self._holders.subject(agent, speaker, found)
        workload = found is not None and found.route.workload
        token = self._tokens.mint(subject, workload=workload)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        onward = _onward(scope, path, token, judged)
        # Values are read with GET and may be large; of what else is asked every answer is small.
        hand_on = self._compressed if method == "GET" else self._hand_on
        async with self._turns.one():
            await hand_on(onward, bodies.replay(judged, receive), noting)
        if found is not None and found.route.name == "ti.state" and 200 <= status < 300 and _defers(judged):
            await run_in_threadpool(_announce_triggers)

    def _judge(
        self,
        agent: Agent,
        speaker: AttemptCaller,
        method: str,
        path: str,
        found: RouteMatch | None,
        body: bytes,
    ) -> bytes | LocalAnswer:
        """The body as it goes on, or the answer it gets here. Raises Refused."""
        rules = Rules.of(agent.policy)
        if found is None:
            decision = boundary.unknown(method, path, rules)
            if speaker.caller is not Caller.TASK:
                raise Refused(
                    Code.NOT_PERMITTED, f"a {speaker.caller.value} may not call {method} {path[:200]!r}"
                )
        else:
            # Which task instance a triggerer may ask about depends on its triggers, not on an id of its own.
            own = None if speaker.caller is Caller.TRIGGERER else speaker.subject
            decision = boundary.admit(found, speaker.caller, own) or boundary.decide(found, body, rules)
        if isinstance(decision, Rejection):
            log.info(
                "Refused a request for the Execution API: %s",
                decision.message,
                extra={"action": "door_refused", "agent": agent.name, "speaker": speaker.label},
            )
            raise Refused(decision.code, decision.message, remedy=decision.remedy)
        if isinstance(decision, LocalAnswer):
            return decision
        return decision.body if isinstance(decision, Change) else body

    async def _agent(self, scope: Scope) -> Agent:
        credentials.check_protocol(bodies.header(scope, versions.HEADER.lower().encode()))
        token = credentials.bearer(bodies.header(scope, b"authorization"))
        return await credentials.KNOWN.agent(token, self._clock())


def _onward(scope: Scope, path: str, token: str, body: bytes) -> Scope:
    """The request as Airflow's Execution API gets it."""
    before = scope["path"].removesuffix(EXECUTION + path)
    moved = before + execution_api.MOUNT + path
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _TAKEN_OFF]
    headers.append((b"authorization", b"Bearer " + token.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "path": moved, "raw_path": quote(moved, safe="/:@+~").encode(), "headers": headers}


def _starts(found: RouteMatch | None) -> str | None:
    """The task instance a request asks to run."""
    if found is None or found.route.name != "ti.run":
        return None
    return found.params[Owner.TASK_INSTANCE.value]


def _named(body: bytes, speaker: AttemptCaller) -> bytes:
    """The body with the host name that the plane gives this attempt. Raises Refused MALFORMED."""
    try:
        sent = json.loads(body)
        sent["hostname"] = speaker.hostname
    except (ValueError, RecursionError, TypeError):
        raise Refused(Code.MALFORMED, "the body is no JSON object") from None
    return json.dumps(sent).encode()


def _defers(body: bytes) -> bool:
    try:
        sent = json.loads(body)
    except ValueError:
        return False
    return isinstance(sent, dict) and sent.get("state") == "deferred"


def _announce_triggers() -> None:
    transactions.in_transaction(lambda db: notifications.publish(db, notifications.TRIGGERS))
