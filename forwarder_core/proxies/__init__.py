"""Probing proxies: our own way through one to a target, so that a failure has an owner. Holds no SQL."""
