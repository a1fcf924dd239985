"""Rivals of the networks in a study: linear and other plain models of scikit-learn."""
