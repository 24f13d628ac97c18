"""The operator API as the command uses it: contexts with their credentials, requests, and responses of other servers."""
