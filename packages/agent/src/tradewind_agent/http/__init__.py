"""HTTP as every part of the agent sees it: responses of the plane, TLS of the site. Sends nothing itself."""
