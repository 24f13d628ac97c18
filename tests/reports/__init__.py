"""Dags made after public reports about Airflow 3, run side by side: under LocalExecutor, and at sites with an agent.

`dags/` holds one file for each promise. `scenarios` reads what a file says about itself, `plays` does what a person does
while a Dag runs, `records` writes down how it went, `comparing` finds the differences, `sides` starts the planes and sites.
"""
