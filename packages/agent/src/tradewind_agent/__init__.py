"""The agent: one light process beside the data that dials out to the orchestration plane.

It never imports Airflow. Layers, each of which may use only what is below it (`.importlinter`):

    cli        the command
    agent      the composition root: every part, in order of entry
    loops      one forever-loop per file
    work       attempts: confirming, running, draining
    environments | plane | gateway     hosts to start, the plane to ask, the door out
    kits       small tools that know nothing of agents
"""
