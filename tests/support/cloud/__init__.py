"""Servers of the clouds that sites keep secrets and values in: the vendor's, an emulator, or one of ours that says so.

One module for each program. A server listens on a free port of loopback, is ready when `with` is entered, and is gone
afterwards. A test asks `Servers` for one, which starts it for the first that asks.
"""
