"""What happens during a run beside its steps: a hook a file."""
