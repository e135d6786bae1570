"""Partitions: one per post on its connection, `<connection>|<post>`, so that Dagit shows a row per post.

Our own tables are the truth about a post; a partition is a handle to it, and losing them all loses nothing.
"""

import dagster as dg

posts = dg.DynamicPartitionsDefinition(name="posts")
