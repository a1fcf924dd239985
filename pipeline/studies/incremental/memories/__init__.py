"""Which rows of past tasks are kept: one memory a file, and the registry of those there are."""
