"""Methods of class-incremental learning, one a file."""
