"""Links on tasks in the Airflow UI."""
