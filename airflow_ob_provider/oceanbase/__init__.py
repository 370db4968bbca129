"""What OceanBase log backup is: versions, states, statements and decisions.

Nothing here knows Airflow, a driver, a clock or a socket, so every rule can be read and tested by itself.
"""
