"""The options of the `[tradewind]` section: what each does, which values it takes, when to change it.

`settings.py` reads them, Airflow describes them (`OPTIONS`), and `docs/reference/plane-settings.md` is generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Option:
    """One option."""

    description: str
    type: str  # Airflow's word: string, integer, float, boolean
    default: str
    example: str | None = None
    least: float | None = None  # of a number: the least that is accepted
    values: str = ""  # of anything but a number: what is accepted, for a person
    change: str = ""  # when to change it, for a person

    def described(self) -> dict[str, Any]:
        """As Airflow wants it described."""
        return {
            "description": self.description,
            "version_added": "0.1.0",
            "type": self.type,
            "example": self.example,
            "default": self.default,
        }

    @property
    def accepted(self) -> str:
        """Which values it takes, for a person."""
        if self.least is None:
            return self.values
        return f"{'whole number' if self.type == 'integer' else 'number'}, {self.least:g} or more"


SHORTCUTS: Final = ("middleware-bypass", "direct-dispatch", "single-thread", "frozen-heap")
"""What `shortcuts` may name: those of `tradewind_provider.shortcuts.table`. Airflow reads this module in every process."""

ALL: Final[dict[str, Option]] = {
    "deployment": Option(
        "Name of this Deployment, shown to agents and in their logs. Empty: the value of [api] instance_name.",
        "string",
        "",
        "production",
        values="any text",
        change="When several Deployments report to one place, so that agents' logs tell them apart.",
    ),
    "parallelism": Option(
        "How many workloads one scheduler's RemoteExecutor may have queued and running at once. It takes the "
        "place of [core] parallelism for this executor, because agents and not the scheduler's machine do the work.",
        "integer",
        "100000",
        least=1,
        change="When one scheduler must not have more than so many tasks with agents at once. Slots of agents limit what runs in any case.",
    ),
    "on_agent_loss": Option(
        "What happens to running work when its agent is lost: 'retry' reports it failed at once, so "
        "that Airflow's retries decide; 'wait:<duration>' (s, m, h, d) keeps it running that long first, since a "
        "partition is not a death. Per queue: 'retry, gpu=wait:30m, edge=wait:4h'.",
        "string",
        "retry",
        "retry, gpu=wait:30m",
        values="`retry` or `wait:<number><s, m, h or d>`, and the same after `<queue>=`",
        change="For queues whose agents are often away for longer than three polls, or whose tasks must not run twice.",
    ),
    "poll_seconds": Option(
        "The plane answers an agent's poll after this many seconds without news. The poll is the heartbeat.",
        "float",
        "25",
        least=1,
        change="Lower, to notice a lost agent sooner (`missed_beats` times this); higher only when a proxy demands it. It must be below the idle time-outs of every proxy between.",
    ),
    "offer_seconds": Option(
        "Work offered to an agent that does not confirm within this many seconds goes to another one.",
        "float",
        "10",
        least=1,
        change="Higher, when agents far away or on slow machines hand offers back that they did not confirm in time.",
    ),
    "missed_beats": Option(
        "An agent is lost after this many poll intervals without a poll.",
        "float",
        "3",
        least=1.5,
        change="Higher, where networks fail for a minute and tasks must not be retried for that.",
    ),
    "grace_seconds": Option(
        "How long an agent answers its tasks' heartbeats itself while the plane cannot be reached.",
        "float",
        "3600",
        least=0,
        change="Higher, when the plane may be away for longer than an hour (an upgrade, a restore) and tasks have to go on meanwhile.",
    ),
    "session_seconds": Option(
        "A session token is good for this long; polls renew it in passing.",
        "float",
        "3600",
        least=60,
        change="Lower, to have a stolen session token be worth less; agents renew theirs in passing.",
    ),
    "sweep_seconds": Option(
        "How often each API server and scheduler looks for offers and agents whose time is up.",
        "float",
        "5",
        least=0.1,
        change="Hardly ever. Lower, for tests.",
    ),
    "canary_interval_seconds": Option(
        "Each queue that an agent serves is tried with a canary this often. Its result names the part "
        "that fails. 0: never.",
        "float",
        "300",
        least=0,
        change="Lower, to notice a broken queue sooner; 0, to give agents nothing but work.",
    ),
    "offers_per_answer": Option(
        "The most offers in one answer to a poll.",
        "integer",
        "50",
        least=1,
        change="Higher, when one agent has hundreds of slots and fills them too slowly.",
    ),
    "largest_body_bytes": Option(
        "The largest request an agent may send, in bytes.",
        "integer",
        str(32 * 1024 * 1024),
        least=64 * 1024,
        change="Higher, when a Dag file with thousands of tasks is refused as `too_large`.",
    ),
    "tokens_limit": Option(
        "The most agent tokens that may exist in this Deployment.",
        "integer",
        "50",
        least=1,
        change="When there are more sites than that. One token may serve many agents.",
    ),
    "sessions_per_token": Option(
        "The most sessions that agents may have open with one agent token. One agent has one session.",
        "integer",
        "2000",
        least=1,
        change="Higher, for a token that serves more agents than that; lower, to keep a stolen token from filling the tables.",
    ),
    "sessions_per_site": Option(
        "The most sessions that agents of one site may have open, with all of its tokens.",
        "integer",
        "5000",
        least=1,
        change="Higher, for a site with more agents than that; lower, where sites share a Deployment and none may crowd out the others.",
    ),
    "policy": Option(
        "The least strict data boundary this Deployment allows. 'strict': no values, connections, variables, templates "
        "or source pass, whatever a site sets. 'open': each site decides, and its agents may read the connections and "
        "variables of this Airflow. For single sites by name: 'strict, lab=open'.",
        "string",
        "strict",
        "strict, lab=open",
        values="`strict` or `open`, and the same after `<site>=`",
        change="When a site may let values pass: open that site by name. Its own settings still decide what it lets out.",
    ),
    "reads": Option(
        "What a task may read beside its own. 'site': XComs, states and counts of all Dags that its site may reach. 'own': XComs of "
        "its own run, and states and counts of its own Dag. Names of Dags after 'own', with * and ?, are for every task to read.",
        "string",
        "site",
        "own, calendar_*",
        values="`site`, or `own` with Dags after it",
        change="When authors of one site's Dags must not read each other's values. A site's owner can narrow it for the site.",
    ),
    "allowed_addresses": Option(
        "Networks agents may connect from, in CIDR notation, separated by commas. Empty: from anywhere. In force until "
        "a user sets the list through the operator API (`tradewind allowed-ips`), which holds from then on.",
        "string",
        "",
        "10.0.0.0/8, 203.0.113.7/32",
        values="networks in CIDR notation",
        change="When agents connect from known networks only.",
    ),
    "trusted_proxies": Option(
        "Networks of proxies, in CIDR notation, whose X-Forwarded-For is believed when the address of a request is "
        "looked for. That of any other client is ignored. Name the proxies' exact addresses: a client in one of these networks "
        "can claim any address.",
        "string",
        "",
        "10.0.3.17, 10.0.3.18",
        values="networks in CIDR notation",
        change="When a proxy or load balancer stands before the API servers, so that addresses of agents are looked for behind it.",
    ),
    "endpoint_gateways": Option(
        "Networks of the gateways, in CIDR notation, whose X-Tradewind-Endpoint is believed: it names the private endpoint "
        "by which a request came, or says 'public'. That of any other client is ignored. A gateway must replace what a client wrote into this "
        "header and into X-Forwarded-For; it counts as a trusted proxy, too.",
        "string",
        "",
        "10.0.3.19",
        values="networks in CIDR notation",
        change="When agents connect by private endpoints: AWS PrivateLink, Azure Private Link, Private Service Connect.",
    ),
    "agent_url": Option(
        "The address at which agents reach this plane, with its path. The page Register an agent and its recipes show it in commands, "
        "settings and chart values. Empty: the page asks for it. The plane never gives agents the address that a browser uses.",
        "string",
        "",
        "https://k3.external.example.com/d4f2",
        values="empty, or an address that begins with https:// or http://",
        change="When agents reach the plane by another name than people: a gateway, a private endpoint.",
    ),
    "agent_hosts": Option(
        "Host names that are for agents, separated by commas; * stands for any characters. On them only what agents ask "
        "for is served, everything else answers '404 page not found', and /healthz 'ok'. Empty: every name serves all.",
        "string",
        "",
        "*.external.example.com",
        values="host names, `*` stands for any characters",
        change="When agents use a host name of their own, on which the UI must not be reachable.",
    ),
    "managed_by": Option(
        "'platform' on the Airflow of a Deployment that a Tradewind platform manages. [core] auth_manager is then "
        "tradewind_provider.auth_manager.manager.TradewindAuthManager, and the allowed addresses are changed on the platform only. "
        "Empty: this plane is managed by itself.",
        "string",
        "",
        "platform",
        values="empty or `platform`",
        change="Never by hand: the platform writes it, and the four options below it.",
    ),
    "deployment_id": Option(
        "The id that the platform gave this Deployment.",
        "string",
        "",
        "0197b3a2-6c1e-7d55-8a5e-0f4f2f6c9a10",
        values="a UUID",
        change="Never by hand.",
    ),
    "platform_url": Option(
        "The address of the platform, for people's browsers and for this plane's API servers alike.",
        "string",
        "",
        "https://platform.example.com",
        values="empty, or an address that begins with https:// or http://",
        change="When the platform has moved to another name.",
    ),
    "platform_credential_file": Option(
        "The file with the credential by which the platform knows this Deployment.",
        "string",
        "",
        "/var/lib/tradewind/d4f2abc/platform-credential",
        values="a path",
        change="Never by hand.",
    ),
    "platform_ca_file": Option(
        "Certificates, as PEM, with which the platform's certificate is checked. Empty: the certificates that the system trusts.",
        "string",
        "",
        "/etc/tradewind/platform-ca.pem",
        values="empty or a path",
        change="When the platform's certificate was issued by an authority of one's own.",
    ),
    "access_file": Option(
        "The file in which an API server keeps the roles that the platform sent last, so that it starts without the platform. "
        "Empty: `access.json` in AIRFLOW_HOME.",
        "string",
        "",
        values="empty or a path",
        change="When AIRFLOW_HOME cannot be written to.",
    ),
    "access_max_age_seconds": Option(
        "When the platform has not answered for so long, every person and API token is a viewer until it answers again.",
        "float",
        "86400",
        least=60,
        change="Lower, where a revoked role must not outlive a platform that is cut off; higher, where it may be away for days.",
    ),
    "access_log": Option(
        "Whether requests of agents have a line in the API server's access log, as those of browsers do. They then go "
        "through everything Airflow puts around its applications, which costs an eighth more for each task.",
        "boolean",
        "False",
        values="`True` or `False`",
        change="While you look for what an agent asks for.",
    ),
    "shortcuts": Option(
        "Which of its shortcuts an API server uses, each of which saves time and changes no answer. Its log says at the "
        "start which are on, and why the others are off.",
        "string",
        "all",
        "middleware-bypass, frozen-heap",
        values=f"`all`, `none`, or names separated by commas: {', '.join(f'`{one}`' for one in SHORTCUTS)}",
        change="`none`, while you look for the cause of a fault of the API server.",
    ),
    "failures_per_minute": Option(
        "The most wrong agent tokens a minute from one address. Above it, requests from there are refused for a while. "
        "0: no limit. Counted by each API server for itself; agents whose token was good within the hour go on.",
        "float",
        "60",
        least=0,
        change="Lower, where wrong tokens are an attack; 0, where a proxy in front limits already.",
    ),
    "live_log_bytes": Option(
        "Most bytes of a task's log that an agent sends to a user who opens it in Airflow.",
        "integer",
        str(32 * 1024 * 1024),
        least=1024,
        change="Higher, when people read logs larger than this in the UI; an API server holds one line in memory, not the log.",
    ),
    "live_log_seconds": Option(
        "Seconds an agent has to answer a user who opens a log.",
        "float",
        "10",
        least=0.1,
        change="Higher, when agents answer slowly and the log page says that they did not.",
    ),
    "log_link": Option(
        "Address of a task's log in a platform of the site's, shown on the log page: `{dag_id}`, `{run_id}`, `{task_id}`, "
        "`{map_index}`, `{try_number}` and `{path}` stand for their values. Empty: none.",
        "string",
        "",
        values="empty, or an address that begins with https:// or http://, with these names in braces",
        change="Set it, where a shipper or the agents bring logs to a platform or bucket that people can open.",
        example="https://logs.example.com/search?q=dag:{dag_id}+run:{run_id}+task:{task_id}+try:{try_number}",
    ),
    "history_days": Option(
        "Ended sessions, finished attempts and carried-out commands are deleted after this many days.",
        "integer",
        "14",
        least=1,
        change="Higher, to look further back in `tradewind attempts list --all`; each attempt is a row.",
    ),
    "events_days": Option(
        "Audit events are deleted after this many days. 0: never.",
        "integer",
        "365",
        least=0,
        change="As long as your auditors ask for.",
    ),
}

OPTIONS: Final[dict[str, dict[str, Any]]] = {name: one.described() for name, one in ALL.items()}
"""As Airflow wants them, in the provider's description."""
