"""The door: every request of an agent comes in here, and only here do agents reach Airflow's Execution API.

Session, attempt and epoch are checked, the data boundary is applied again, and what is left is passed to Airflow's own
Execution API in the same process with a token made for that request. Airflow's tokens never leave the plane.
"""

from tradewind_provider.api.execution_proxy.proxy import Door

__all__ = ["Door"]
