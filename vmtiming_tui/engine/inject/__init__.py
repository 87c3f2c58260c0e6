"""Bringing the report service into a guest that nobody prepared."""
