"""The one way to the orchestration plane: a pool of HTTPS connections, its credentials, and what each answer means.

Everything that leaves the agent goes through `client.PlaneClient`. Nothing here knows what an attempt does or how a
process of a task environment is started.
"""
