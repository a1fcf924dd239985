"""Many runs with one question: comparisons of methods and sweeps over settings."""
