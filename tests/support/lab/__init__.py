"""Networks on this machine that behave like the clouds': see docs/how-to/private-link.md.

`namespaces` makes networks, `private_link` is a cloud's private endpoint and load balancer, `lab` puts them together with a real
plane and its gateway, and `python -m support.lab` is what `make lab` runs.
"""
