"""What every room may use: errors, configuration, cluster, storage."""
