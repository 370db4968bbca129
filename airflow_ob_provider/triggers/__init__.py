"""Waits that hold no worker slot."""
