"""The driver of a cluster that is this machine: a Deployment is processes under a home, and where root runs the platform, a user
of its own. Its processes and its gateway outlive the platform, which finds them again.
"""
