"""Alarms through Airflow's notifiers."""
