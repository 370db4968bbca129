"""The page of this provider in Airflow's user interface: what the checks have stored, read-only, for who may see it."""
