"""Does the work of one cluster: connects to the platform, does its steps with a driver, and reports what it observes."""
