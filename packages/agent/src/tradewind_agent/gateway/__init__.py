"""The one door out of a site, for every host and every attempt: HTTP on a unix socket.

Says who asks, applies the data boundary, writes the ledger, forwards to the plane, and stands in for the plane while
it cannot be reached. `app.Gateway` is the whole of it for others. Nothing here starts a process or knows what a task is;
what it needs of the rest of the agent is written down in `seams`.
"""
