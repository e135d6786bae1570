"""A world to forward in without the internet: simulated platforms, a gateway that leads to them, a fake Telegram.

`python -m forwarder_core.simulator --home DIR` starts it; tests use `testing.running`. What a platform answers is not
here but in its folder's `fake.py`. The fact to know: everything listens on loopback, and the gateway refuses and
records every name that is not simulated, so nothing that runs behind it can reach a real platform.
"""
