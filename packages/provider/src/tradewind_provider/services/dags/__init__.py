"""Dags of sites: which agent leads a bundle (`bundles`), what is stored (`reports`), what is asked for (`watches`)."""
