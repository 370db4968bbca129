"""Assets that this provider's DAGs update."""
