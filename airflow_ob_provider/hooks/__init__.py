"""The connection to OceanBase."""
