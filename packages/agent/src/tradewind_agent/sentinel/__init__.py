"""The sentinel: a process of its own that watches agents from outside and reports what is wrong, also when all are down.

`composition` is the process. It looks at `pods` of a namespace (through `kubernetes`) or at the units and directories of a
`machine`, asks `agents` on their own ports, and runs `examinations`. `problems` and `canaries` are pure: what Kubernetes or the
plane says → what is wrong; `rules` and `redaction` make findings of it that may leave the site.
"""
