"""The one-machine default: a PostgreSQL of our own and a supervisor of the product's processes."""
