"""Tasks that wait for a state of log backup."""
