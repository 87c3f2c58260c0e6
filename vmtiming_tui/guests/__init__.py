"""Guests that this project makes itself."""
