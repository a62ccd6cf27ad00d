"""What was published: the authors' recorded runs and games, and every number of the paper."""
