"""``airflow oceanbase …``: the same checks for people without a scheduler at hand."""
