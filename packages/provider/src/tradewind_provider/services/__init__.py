"""What the plane does, one noun per module. Services take a session of the database and `now`; they commit nothing
themselves, so several make one transaction."""
