"""Libraries that Dag files import, imported once in a process that attempts are forked from."""
