"""What is read in the pods and events of Kubernetes' API: functions of one object, or of the events of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

Object = Mapping[str, Any]


def name_of(pod: Object) -> str:
    return str(pod.get("metadata", {}).get("name", ""))


def moment(text: object) -> datetime | None:
    """A time of the API, in UTC."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def condition_of(pod: Object, kind: str) -> Object:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})


def container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def scheduled_at(pod: Object) -> datetime | None:
    return moment(condition_of(pod, "PodScheduled").get("lastTransitionTime"))


def made_at(pod: Object) -> datetime:
    return moment(pod.get("metadata", {}).get("creationTimestamp")) or datetime.now(timezone.utc)


def was_out_of_memory(ended: Object) -> bool:
    return ended.get("reason") == "OOMKilled"


def memory_limit(pod: Object, container: str) -> str:
    for one in pod.get("spec", {}).get("containers") or ():
        if one.get("name") == container:
            return str(((one.get("resources") or {}).get("limits") or {}).get("memory", ""))
    return ""


def images(pod: Object) -> set[str]:
    spec = pod.get("spec", {})
    return {
        str(one["image"])
        for one in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        if one.get("image")
    }


def repository(image: str) -> str:
    """The reference without tag and digest."""
    head, slash, tail = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}" if slash else image


def nodes(pod: Object) -> set[str]:
    return {str(one) for one in (pod.get("spec", {}).get("nodeName"),) if one}


def first_seen(event: Object) -> datetime:
    return (
        moment(event.get("firstTimestamp"))
        or moment(event.get("eventTime"))
        or moment(event.get("metadata", {}).get("creationTimestamp"))
        or datetime.now(timezone.utc)
    )


def last_seen(event: Object) -> datetime:
    return (
        moment((event.get("series") or {}).get("lastObservedTime"))
        or moment(event.get("lastTimestamp"))
        or first_seen(event)
    )


def count(event: Object) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def first_of(events: Iterable[Object], *reasons: str) -> datetime | None:
    return min((first_seen(one) for one in events if one.get("reason") in reasons), default=None)


def message_of(events: Iterable[Object], *reasons: str) -> str:
    found = [one for one in events if one.get("reason") in reasons]
    return str(max(found, key=last_seen).get("message", "")) if found else ""
