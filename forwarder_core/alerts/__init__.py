"""Alerts: what a message says, when several become one, how fast they may go, and the way to Telegram.

No SQL: services pass rows in. The vendor library is imported by `telegram` alone, and that module on first use.
"""
