"""Where streams come from and go to; one file a system.

Nothing is imported here, so that the core installs without any connector's client library.
"""
