"""Apache Airflow provider for OceanBase log backup."""

__version__ = "0.1.0"
