"""The rules of log backup, applied to what the server's catalog holds."""
