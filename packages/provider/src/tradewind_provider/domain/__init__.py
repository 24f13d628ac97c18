"""Rules of leasing, placement and health. Pure functions of their arguments: no clock, no database, no logging."""
