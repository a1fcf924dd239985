"""Many runs side by side: a study of methods, its table, and what may be concluded from it."""
