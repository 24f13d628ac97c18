"""The sentinel: a process of its own that watches agents from outside and reports what is wrong, also when all are down.

`rules` are pure: what an API object or a unit says → findings. `kubernetes` and `machine` look, `health` asks each agent,
`composition` is the process.
"""
