"""The Airflow adapter: what correctness needs of Airflow's internals, one module per subject, and nothing else.

A new Airflow minor is met here and in `shortcuts`. Modules elsewhere import Airflow only by its public names.
"""
