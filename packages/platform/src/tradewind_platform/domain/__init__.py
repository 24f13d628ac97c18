"""The rules of the platform: pure functions of records, requests and the time."""
