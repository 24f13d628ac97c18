"""The worker process and, under it, three processes for each attempt.

prefork process     imports Airflow once, forks, counts, reports; runs no Airflow code of an attempt and keeps no secret
 └─ process manager forks, adopts every orphan of its attempt and stops it (`process_manager`); reads no secret either
     ├─ supervisor  Airflow's own (`airflow.workloads`), which serves attempts one after the other (`supervisor`): the
     │              only one that speaks to the gateway
     └─ the task's process, made for this attempt and never used again, and whatever it starts
"""
