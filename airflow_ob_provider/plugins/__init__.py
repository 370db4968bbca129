"""What this provider adds to Airflow's user interface."""
