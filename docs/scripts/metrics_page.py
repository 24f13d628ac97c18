"""Write docs/reference/metrics.md from the tables of metrics of agent, sentinel, plane and platform."""

from __future__ import annotations

from pathlib import Path

from tradewind_agent.monitoring.metrics import METRICS as AGENT
from tradewind_agent.sentinel.metrics import METRICS as SENTINEL
from tradewind_platform.controller.status import METRICS as CONTROLLER
from tradewind_platform.services.metrics import METRICS as PLATFORM
from tradewind_provider.services.metrics import METRICS as PLANE

PAGE = Path(__file__).parents[1] / "reference" / "metrics.md"

_TOP = """# Metrics

Generated from `tradewind_agent.monitoring.metrics`, `tradewind_agent.sentinel.metrics`, `tradewind_provider.services.metrics`,
`tradewind_platform.services.metrics` and `tradewind_platform.controller.status` by `docs/scripts/metrics_page.py`.

No metric has a label for a Dag, a task, a run or an attempt. Dashboards and alert rules that use these are in
`deploy/observability`. An OpenTelemetry Collector reads the same addresses with its Prometheus receiver.

## Agent

`http://127.0.0.1:39091/metrics` (`metrics_host`, `metrics_port`), no credential. Beside it: `/healthz` is 200 as long as
the process serves. `/readyz` is 200 while the plane answers and nothing keeps the agent from taking work, else 503 with the
reason. `/status` is everything as JSON.

"""

_SENTINEL = """
## Sentinel

`http://127.0.0.1:39092/metrics` of a [sentinel](../how-to/sentinel.md), no credential. The plane tells it of the canaries of its
site's queues.

"""

_PLANE = """
## Plane

`/remote-execution/v1/metrics` on an API server, with an agent token as the bearer:

```yaml
scrape_configs:
  - job_name: tradewind-plane
    metrics_path: /remote-execution/v1/metrics
    authorization: {credentials_file: /etc/prometheus/agent-token}
    static_configs: [{targets: ["airflow.example.com"]}]
```

Every API server says the same of agents, tokens and queues, and asks the database at most once in five seconds; `polls`,
`log_streams` and `refusals` are its own. Attempts that end and their durations are counted by every API server for the whole
plane from when it was first scraped on: with several, take the maximum (`max by (site, queue, process, task_state) (rate(…))`).
An agent that is lost stays in `agents` and `agent_lost_timestamp_seconds` for an hour, unless it comes back. The 99 queues with most work have a line each, the rest share `queue="(other)"`.
`/remote-execution/v1/readyz` is 200 while the API server serves agents; Airflow's own `/api/v2/monitor/health` tells
of schedulers and triggerers.

"""

_PLATFORM = """
## Platform

`/v1/metrics` of a [platform](../how-to/run-a-platform.md), with an API token of the role `organization_auditor` as the bearer:

```yaml
scrape_configs:
  - job_name: tradewind-platform
    metrics_path: /v1/metrics
    authorization: {credentials_file: /etc/prometheus/platform-token}
    static_configs: [{targets: ["platform.example.com"]}]
```

Every process of a platform says the same, and asks its database and no Deployment. What a Deployment's own API servers tell is [above](#plane). Moments
are Unix times: `time() - …` is the age. `/healthz` is 200 while a process serves, and `/readyz` while its database answers, too; neither
needs a credential. A list of [allowed addresses](../how-to/allow-people-from-networks.md) holds for Prometheus, and not for the two probes.

"""

_CONTROLLER = """
## Controller of a cluster

`/metrics` at the address of `--health-listen`, which is port 39093 of the pod in Kubernetes; no credential. Beside it: `/healthz` is 503 when the loop
has not turned for three minutes, so that the process is started again. `/readyz` is 503 with the reason while the platform does not answer.

"""

_KEDA = """
## Queue depth for scalers

A scaler reads the numbers of queues by a token of its own: [let KEDA read the backlog](../how-to/tokens.md#let-keda-read-the-backlog).
"""


def page() -> str:
    """The whole page."""
    head = ["| metric | type | labels | what |", "|---|---|---|---|"]
    agent = [f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.help} |" for one in AGENT]
    sentinel = [f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.help} |" for one in SENTINEL]
    plane = [f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.help} |" for one in PLANE]
    platform = [f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.help} |" for one in PLATFORM]
    controller = [f"| `{one.name}` | {one.kind} | {_labels(one.labels)} | {one.help} |" for one in CONTROLLER]
    return (
        _TOP
        + "\n".join([*head, *agent])
        + "\n"
        + _SENTINEL
        + "\n".join([*head, *sentinel])
        + "\n"
        + _PLANE
        + "\n".join([*head, *plane])
        + "\n"
        + _PLATFORM
        + "\n".join([*head, *platform])
        + "\n"
        + _CONTROLLER
        + "\n".join([*head, *controller])
        + "\n"
        + _KEDA
    )


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
