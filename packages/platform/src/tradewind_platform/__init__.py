"""Runs many Deployments: one organization, its clusters, workspaces, Deployments, people and tokens.

`domain` has the rules and does no I/O. `store` has the tables, `security` the keys and hashes.
"""
