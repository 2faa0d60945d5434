"""What the command line runs: the table of its commands, and those that have no better home."""
