"""What to search: one file a method, each a named space of its settings."""
