"""Makes an Airflow an orchestration plane.

`api → services → store → domain`; Airflow's own modules are used in `seams` only (and where Airflow asks for a base
class: `executor`, `plugin`, `store.manager`).
"""
