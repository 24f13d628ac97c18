"""Runs Deployments in a Kubernetes cluster: a namespace each, and a release of our own chart by Helm."""
