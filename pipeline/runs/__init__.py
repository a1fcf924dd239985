"""What a run is on disk: its folder, its data, its checkpoints, its progress."""
