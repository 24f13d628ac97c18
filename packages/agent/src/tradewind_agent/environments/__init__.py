"""Task environments: the interpreters that have Airflow, and the processes the agent starts in them.

Here is everything about processes, their environment variables and their control socket. Nothing here asks the
plane anything.
"""
