"""Making a compliance check: reading a cluster, keeping reports and history."""
