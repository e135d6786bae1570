"""The door: who may come in, the sign-in page, and the way through to Dagster's own UI. Knows no screen."""
