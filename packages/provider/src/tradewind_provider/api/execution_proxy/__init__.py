"""The proxy through which agents reach Airflow's Execution API.

It checks session, attempt and epoch, applies the data boundary again, and passes what is left to Airflow's own
Execution API in the same process with a token made for that request. Airflow's tokens never leave the plane.
"""

from tradewind_provider.api.execution_proxy.proxy import ExecutionProxy

__all__ = ["ExecutionProxy"]
