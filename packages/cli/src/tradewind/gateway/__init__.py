"""The gateway of a cluster: one host name under which every Deployment has a path, and nothing else is served.

`settings` is what an operator writes. `caddy` and `manifests` turn it into documents of proxies and do no I/O. `proxy_protocol`
and `front` read by which private endpoint a connection came, before TLS. `program` is Caddy, `ports` the sockets it accepts
connections of, `state` the files of a running gateway, and `process` runs all of it.
"""
