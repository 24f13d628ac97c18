"""What exists only for speed: each module leaves out work of Airflow's that a request does not need.

Nothing here may be needed for correctness. The modules know the Airflow adapter and never the other way round.
"""
