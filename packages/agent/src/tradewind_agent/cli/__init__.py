"""The command `tradewind-agent`, and the tables it prints."""
