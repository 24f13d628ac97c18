"""A plane and agents as local processes: what `tradewind demo` shows, tests exercise and benchmarks measure.

Nothing here imports Airflow, the provider or the agent: they are programs with a command line and a configuration file.
"""
