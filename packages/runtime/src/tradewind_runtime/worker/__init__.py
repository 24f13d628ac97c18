"""The worker host: a warm zygote, and under it two processes for each attempt.

zygote            imports Airflow once, forks, counts, tells; runs no Airflow code of an attempt and keeps no secret
 └─ supervisor    Airflow's own (`seams.worker`), in a process that serves attempts one after the other (`attempt`): the
     │            only one that speaks to the gateway. It adopts every stray of its attempt and stops it
     └─ the task's process, made for this attempt and never used again, and whatever it starts
"""
