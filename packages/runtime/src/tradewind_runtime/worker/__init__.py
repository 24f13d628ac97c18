"""The worker host: a warm zygote, and under it three processes for each attempt.

zygote              imports Airflow once, forks, counts, tells; runs no Airflow code of an attempt and keeps no secret
 └─ keeper          forks, adopts every stray of its attempt and stops it (`keeper`); reads no secret either
     ├─ supervisor  Airflow's own (`seams.worker`), which serves attempts one after the other (`attempt`): the only one
     │              that speaks to the gateway
     └─ the task's process, made for this attempt and never used again, and whatever it starts
"""
