"""How Alembic reaches the database: on the connection `migrate` holds the lock with, and on no other."""

from alembic import context

from forwarder_core.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
