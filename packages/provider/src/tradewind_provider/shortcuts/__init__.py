"""What exists only for speed: each module leaves out work of Airflow's, or of Python's, that a request does not need.

Every process works without any of it, and nothing in the Airflow adapter imports it. `switch` installs those that
`[tradewind] shortcuts` chooses; `table` lists them.
"""
