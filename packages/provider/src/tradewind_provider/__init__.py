"""Makes an Airflow an orchestration plane.

`api → services → notifications → airflow → store → domain`; Airflow's own modules are used in `airflow` and `shortcuts`
only, and where Airflow asks for a base class (`executor`, `plugin`, `store.manager`).
"""
