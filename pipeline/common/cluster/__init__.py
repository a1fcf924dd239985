"""Joining, starting and measuring a Ray cluster."""
