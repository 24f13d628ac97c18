"""Projects: the folder an owner keeps for a plane and a site, and what becomes of it. Used by `tradewind project`.

A project is read once into `settings.Project`. Requirements become locks, locks and files become an address, and an
environment or image with that address is built once. Airflow is asked in the environments that were built, never imported here.
"""
