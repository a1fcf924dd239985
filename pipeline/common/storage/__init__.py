"""Where bytes lie, and files that are whole or absent."""
