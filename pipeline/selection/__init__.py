"""The selection actor around a selector, and what passes between it and the workers."""
