"""Side-by-side measurements: one file per bench, each with its baseline in the same run."""
