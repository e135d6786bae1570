"""One module per screen; each offers `show()`."""
