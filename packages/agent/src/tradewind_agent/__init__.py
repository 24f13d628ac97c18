"""The agent: one light process beside the data that dials out to the orchestration plane.

It never imports Airflow. Each layer may import only the layers below it (`.importlinter`):

    cli                                the command
    doctor | agent | testing           examination of a site; the composition root; fakes for tests
    loops                              one endless loop per file
    work                               attempts: confirm, run, drain; commands of the plane; task logs
    environments | plane | gateway     processes of task environments; requests to the plane; the socket of both
    monitoring | traces                checks, status, metrics, probes, logs; spans
    state | access | http              files of the state directory; local secrets and grants; responses and TLS
    settings                           what a site can set
    errors, kits                       the agent's errors; small tools that know nothing of agents
"""
