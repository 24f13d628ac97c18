"""The auth manager of an Airflow that a platform manages: people sign in on the platform, and each decision is a look-up here.

`manager` is what Airflow's `[core] auth_manager` names. `replica` holds the roles that the platform sent last,
`following` keeps it up to date, `sign_in` and `app` are the way through the platform and back.
"""
