"""The wire between the orchestration plane and its agents.

What belongs here: messages, identifiers, states with their legal moves, error codes, versions, paths. What does not:
anything that reads a file, a clock, a socket or an environment variable. Both sides import this package and never
each other, so a change here is a change to both; `docs/reference/protocol.md` is generated from it.

Modules are used by name (`from tradewind_protocol import attempts`), one noun each.
"""
