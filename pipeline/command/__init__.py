"""The ``d2ace`` command: what it takes, what each verb does, the demonstration."""
