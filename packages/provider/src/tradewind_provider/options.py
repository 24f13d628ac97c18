"""The options of the `[tradewind]` section, as Airflow wants them described. `settings.py` reads them."""

from __future__ import annotations

from typing import Any, Final


def _option(description: str, type_: str, default: str | None, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": type_,
        "example": example,
        "default": default,
    }


OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "deployment": _option(
        "Name of this Deployment, shown to agents and in their logs. Empty: the value of [api] instance_name.",
        "string",
        "",
        "production",
    ),
    "parallelism": _option(
        "How many workloads one scheduler's RemoteExecutor may have queued and running at once. It takes the "
        "place of [core] parallelism for this executor, because agents and not the scheduler's machine do the work.",
        "integer",
        "100000",
    ),
    "on_agent_loss": _option(
        "What happens to running work whose agent is not heard from any more: 'retry' reports it failed at once, so "
        "that Airflow's retries decide; 'wait:<duration>' (s, m, h, d) keeps it running that long first, since a "
        "partition is not a death. Per queue: 'retry, gpu=wait:30m, edge=wait:4h'.",
        "string",
        "retry",
        "retry, gpu=wait:30m",
    ),
    "poll_seconds": _option(
        "The plane answers an agent's poll after this many seconds without news. The poll is the heartbeat.",
        "float",
        "25",
    ),
    "offer_seconds": _option(
        "Work offered to an agent that does not confirm within this many seconds goes to another one.",
        "float",
        "10",
    ),
    "missed_beats": _option("An agent is lost after this many poll intervals without a poll.", "float", "3"),
    "grace_seconds": _option(
        "How long an agent answers its tasks' heartbeats itself while the plane cannot be reached.",
        "float",
        "3600",
    ),
    "session_seconds": _option(
        "A session token is good for this long; polls renew it in passing.", "float", "3600"
    ),
    "sweep_seconds": _option(
        "How often each API server and scheduler looks for offers and agents whose time is up.", "float", "5"
    ),
    "offers_per_answer": _option("The most offers in one answer to a poll.", "integer", "50"),
    "largest_body_bytes": _option(
        "The largest request an agent may send, in bytes.", "integer", str(32 * 1024 * 1024)
    ),
    "tokens_limit": _option("The most agent tokens that may exist in this Deployment.", "integer", "50"),
    "policy": _option(
        "The least strict data boundary this Deployment allows. 'strict': no values, connections, variables, templates "
        "or source pass, whatever a site sets. 'open': each site decides, and its agents may read the connections and "
        "variables of this Airflow. For single sites by name: 'strict, lab=open'.",
        "string",
        "strict",
        "strict, lab=open",
    ),
    "allowed_addresses": _option(
        "Networks agents may connect from, in CIDR notation, separated by commas. Empty: from anywhere. In force until "
        "somebody sets the list through the operator API (`tradewind allowed-ips`), which holds from then on.",
        "string",
        "",
        "10.0.0.0/8, 203.0.113.7/32",
    ),
    "trusted_proxies": _option(
        "Networks of proxies, in CIDR notation, whose X-Forwarded-For is believed when the address of a request is "
        "looked for. That of anybody else is ignored. Name the proxies' exact addresses: a client in one of these networks "
        "can claim any address.",
        "string",
        "",
        "10.0.3.17, 10.0.3.18",
    ),
    "agent_hosts": _option(
        "Host names that are for agents, separated by commas; * stands for any characters. On them only what agents ask "
        "for is served, everything else answers '404 page not found', and /healthz 'ok'. Empty: every name serves all.",
        "string",
        "",
        "*.external.example.com",
    ),
    "access_log": _option(
        "Whether requests of agents have a line in the API server's access log, as those of browsers do. They then go "
        "through everything Airflow puts around its applications, which costs an eighth more for each task.",
        "boolean",
        "False",
    ),
    "failures_per_minute": _option(
        "How many wrong agent tokens a minute are suffered from one address before it is not listened to for a while. "
        "0: no limit. Counted by each API server for itself; agents whose token was good within the hour go on.",
        "float",
        "60",
    ),
    "live_log_bytes": _option(
        "Most bytes of a task's log that an agent sends to somebody who opens it in Airflow.",
        "integer",
        str(32 * 1024 * 1024),
    ),
    "live_log_seconds": _option("Seconds an agent has to answer somebody who opens a log.", "float", "10"),
    "history_days": _option(
        "Ended sessions, finished attempts and carried-out commands are deleted after this many days.",
        "integer",
        "14",
    ),
    "events_days": _option("Audit events are deleted after this many days. 0: never.", "integer", "365"),
}
