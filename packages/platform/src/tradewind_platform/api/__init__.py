"""The platform's REST API, `/v1`."""
