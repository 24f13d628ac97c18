"""The process that runs triggers: Airflow's `TriggerRunner`, corrected where one trigger would harm the others.

An operator is far from it: see each method of `Runner`.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs import triggerer_job_runner as stock
from airflow.models.trigger import Trigger
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.triggers.base import BaseTrigger
from airflow.triggers.callback import CallbackTrigger

from tradewind_runtime.airflow import callables

IMPORTED_FROM: Final = (
    "a triggerer imports triggers from installed packages and PYTHONPATH, as Airflow's does, and not from a Dag bundle. "
    "Install them in the agent's task environment, or name their folder in PYTHONPATH of its `env`"
)


class Runner(stock.TriggerRunner):
    """The process that runs the triggers."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped: set[int] = set()

    async def create_triggers(self) -> None:
        """As Airflow's, which catches only TypeError: any other error in one trigger's constructor, or in reading its
        arguments, ends the process and with it every other trigger, again and again."""
        arrived = deque(self.to_create)
        self.to_create.clear()
        while arrived:
            one = arrived.popleft()
            self.to_create.append(one)
            try:
                self._judge(one)
                await super().create_triggers()
            except Exception as error:
                self.log.error(
                    "Trigger failed to start", error=error, trigger_id=one.id, classpath=one.classpath
                )
                self.to_create.clear()
                self.failed_triggers.append((one.id, error))

    def get_trigger_by_classpath(self, classpath: str) -> type[BaseTrigger]:
        """As Airflow's, for classes that are triggers: it would call whatever else the plane named."""
        callables.judge_trigger_module(classpath)
        try:
            found = super().get_trigger_by_classpath(classpath)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"{error}: {IMPORTED_FROM}", name=error.name) from error
        callables.judge_trigger(classpath, found)
        return found

    def _judge(self, one: RunTrigger) -> None:
        """Raises NotForThePlane for a callback the plane may not have called."""
        try:
            found = self.get_trigger_by_classpath(one.classpath)
        except BaseException:  # Airflow comes to it next, and fails the trigger with it
            return
        if not issubclass(found, CallbackTrigger):
            return
        arguments = smart_decode_trigger_kwargs(Trigger._decrypt_kwargs(one.encrypted_kwargs))
        callables.judge_callback(str(arguments.get("callback_path")))

    async def cancel_triggers(self) -> None:
        """As Airflow's, once for each trigger: a second cancellation would end the `on_kill` the first one began.

        A negative number is a trigger that another agent runs now: it is ended as at a shutdown, without `on_kill`,
        which would kill the job the other one waits for.
        """
        self._stopped &= self.triggers.keys()
        while self.to_cancel:
            number = self.to_cancel.popleft()
            if (details := self.triggers.get(abs(number))) is None or abs(number) in self._stopped:
                continue
            self._stopped.add(abs(number))
            details["task"].cancel(*(() if number < 0 else (stock._USER_ACTION_CANCEL_MSG,)))

    def process_trigger_events(self, finished_ids: list[int]) -> stock.messages.TriggerStateChanges:
        """As Airflow's; a trigger that never started counts as finished too, else it is held for ever."""
        never = [
            one for one, _ in self.failed_triggers if one not in self.triggers and one not in finished_ids
        ]
        return super().process_trigger_events([*finished_ids, *never])
