"""Registered methods, made with the small inputs of their contract."""

from d2ace.selectors.contract.inputs import Subject


def make(name, labels=None, **settings):
    """Make a selector by name with everything it needs; after one warm-up epoch where it has a warm-up."""
    return Subject(name).make(labels, **settings)
