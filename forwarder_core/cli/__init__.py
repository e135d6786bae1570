"""The commands behind the script `run`: one module each, thin, over embedded and services."""
