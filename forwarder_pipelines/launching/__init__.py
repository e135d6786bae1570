"""The warm launcher's server: a process that has everything imported, and forks children that carry the runs.

A fresh interpreter per run spends several CPU seconds on imports; a fork of a warm one spends none, and one that has
just carried a run well takes the next. `launcher.py` beside this folder is the other end, the class that Dagster's
daemon and webserver load.
"""
