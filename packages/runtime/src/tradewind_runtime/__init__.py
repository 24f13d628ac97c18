"""What a task environment runs beside the user's packages: the worker, dag processor and triggerer processes.

Each is started by the agent, told what to do over one inherited socket (`control`), and reaches everyone else through the
agent's gateway (`gateway_client`). Airflow's internals are used in `airflow` only.
"""
