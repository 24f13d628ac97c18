"""A worker of Airflow's LocalExecutor, with nothing of ours: run by the interpreter of a task environment.

`python stock_worker.py SERVER`, and one workload as JSON a line on standard input; answers each with a line of JSON. As the
executor's workers are forks of a scheduler, so is what runs each workload here a fork of a process that has imported one.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main(server: str) -> None:
    # What a scheduler that starts a LocalExecutor has imported when it forks its workers.
    from airflow.executors.base_executor import BaseExecutor
    from airflow.executors.local_executor import LocalExecutor  # noqa: F401
    from airflow.executors.workloads import ExecuteTask

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        workload = ExecuteTask.model_validate_json(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = BaseExecutor.run_workload(workload, server=server, subprocess_logs_to_stdout=True)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code if code >= 0 else 128 - code)
        _, status = os.waitpid(pid, 0)
        answers.write(json.dumps({"status": status}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
