"""Hosts reached through Dask distributed: nothing else imports it."""
