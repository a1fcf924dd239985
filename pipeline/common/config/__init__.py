"""The typed configuration of a run, and how YAML becomes one."""
