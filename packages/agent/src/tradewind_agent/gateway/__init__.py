"""The only way out of a site, for every process of a task environment and every attempt: HTTP on a unix socket.

Authenticates the request, applies the data boundary, writes the ledger, forwards to the plane, and stands in for the plane while
it cannot be reached. `app.Gateway` is the whole of it for others. Nothing here starts a process or knows what a task is;
`interfaces` states what it needs of the rest of the agent.
"""
