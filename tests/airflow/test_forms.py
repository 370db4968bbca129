"""The forms of the DAGs: readable, and what is illegal is refused before a run begins, by the name of its field."""

from __future__ import annotations

import pytest

DAGS = (
    "ob_log_archive",
    "ob_data_backup",
    "ob_archive_compliance",
    "ob_archive_recovery",
    "ob_archive_destination_move",
)
GIVEN = {"ob_archive_destination_move": {"destination": "file:///data/nfs2"}}
"""What must be filled in."""


@pytest.fixture(scope="module")
def forms():
    """The forms as the scheduler and the API server have them, of the DAGs in their serialized form."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    from .conftest import DAGS as FOLDER

    bag = DagBag(FOLDER)
    return {
        dag_id: DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag.dags[dag_id])).params
        for dag_id in DAGS
    }


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_field_explains_itself(forms, dag_id):
    for name in forms[dag_id]:
        schema = forms[dag_id].get_param(name).schema
        assert {"section", "title", "description_md", "type"} <= set(schema), name
        if "enum" in schema:
            readable = set(schema.get("values_display", ()))
            assert readable == {choice for choice in schema["enum"] if choice}, name


@pytest.mark.parametrize("dag_id", DAGS)
def test_what_a_form_offers_is_legal(forms, dag_id):
    given = GIVEN.get(dag_id, {})
    forms[dag_id].deep_merge(given).validate()
    for name in forms[dag_id]:
        schema = forms[dag_id].get_param(name).schema
        for choice in [*schema.get("enum", ()), *schema.get("examples", ())]:
            forms[dag_id].deep_merge({**given, name: choice}).validate()


def test_a_move_must_be_told_where_to(forms):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match="Invalid input for param destination"):
        forms["ob_archive_destination_move"].validate()


def test_who_loses_is_told_with_each_mode(forms):
    mode = forms["ob_log_archive"].get_param("mode").schema
    assert mode["values_display"] == {
        "optional": "optional: users' writes first",
        "mandatory": "mandatory: log backup first",
        "keep": "keep: as it is set",
    }
    for words in ("users' writes go on", "recycled before they are archived", "users' writes may stop"):
        assert words in mode["description_md"]


def holding(*fields):
    """The DAGs that have all of these fields."""
    log, data, check, recovery, move = DAGS
    of = {
        "oceanbase_conn_ids": {log, data, check},
        "oceanbase_conn_id": {recovery, move},
        "tenants": {log, data, recovery, move},
        "destination": {log, data, recovery, move},
        "dest_conn_id": {log, data, recovery, move},
        "policy": {check, recovery, move},
        "poll_interval": {log, data, recovery, move},
    }
    return [dag_id for dag_id in DAGS if all(dag_id in of[name] for name in fields)]


LEGAL = [
    ("oceanbase_conn_ids", ["prod-1", "prod_2.eu"]),
    ("oceanbase_conn_id", "prod_2.eu"),
    ("tenants", ["shop", "_a$1"]),
    ("destination", "file:///data/nfs/{cluster}/{tenant}/{tenant_id}"),
    ("destination", " oss://bucket/ob?host=oss.example.com "),
    ("destination", "s3://bucket/a@b"),
    ("destination", "azblob://{cluster}/x"),
    ("dest_conn_id", "keys"),
    ("dest_conn_id", ""),
    ("dest_conn_id", None),
    ("policy", {"defaults": {"rpo": "15m"}, "tenants": {"dev_*": {"archive": False}}, "check_max_age": 60}),
]
ILLEGAL = [
    ("oceanbase_conn_ids", []),
    ("oceanbase_conn_ids", ["a", "a"]),
    ("oceanbase_conn_ids", ["a b"]),
    ("oceanbase_conn_ids", ["a\n"]),
    ("oceanbase_conn_ids", "a"),
    ("oceanbase_conn_id", ""),
    ("oceanbase_conn_id", "a b"),
    ("tenants", ["1st"]),
    ("tenants", ["shop; DROP"]),
    ("tenants", ["shop\n"]),
    ("tenants", ["x" * 129]),
    ("tenants", "shop"),
    ("destination", 7),
    ("destination", "data/nfs"),
    ("destination", "/data/nfs"),
    ("destination", "file://data/nfs"),
    ("destination", "FILE:///data/nfs"),
    ("destination", "obs://bucket/x"),
    ("destination", "oss://"),
    ("destination", "file:///data/my nfs"),
    ("destination", "file:///data/'x"),
    ("destination", "file:///data\\x"),
    ("destination", "file:///data?x=1"),
    ("destination", "file:///data/{server}"),
    ("destination", "file:///data/{tenant"),
    ("destination", "file:///data\n"),
    ("destination", "oss://id:key@bucket/x"),
    ("destination", "oss://bucket/x?host=h&access_id=a"),
    ("destination", "oss://bucket/x?ACCESS_KEY=a&host=h"),
    ("destination", "file:///" + "x" * 2040),
    ("dest_conn_id", "a b"),
    ("policy", []),
    ("policy", {"default": {}}),
    ("policy", {"defaults": {"rop": "15m"}}),
    ("policy", {"tenants": {"shop": {"rop": 1}}}),
    ("policy", {"waivers": [{"rule": "lag"}]}),
    ("poll_interval", 0),
]
LOG_ILLEGAL = [
    ("mode", "Mandatory"),
    ("compression", "gzip"),
    ("minor_freeze", "maybe"),
    ("destination_option", "recovery_window"),
    ("destination_option", "recovery_window=7d "),
    ("destination_option", "recovery_window=7 d"),
    ("destination_option", "recovery_window=7d&"),
    ("destination_option", "Recovery_window=7d"),
    ("destination_option", "auto_delete_obsolete_backup=yes"),
    ("destination_option", "recovery_window=1w"),
    ("piece_switch_interval", "8d"),
    ("piece_switch_interval", "1"),
    ("lag_target", -1),
    ("lag_target", 7201),
    ("concurrency", 101),
    ("doing_timeout", 5),
]
DATA_ILLEGAL = [
    ("kind", "differential"),
    ("only_if_needed", True),
    ("description", "it's"),
    ("description", "x" * 201),
    ("description", "two\nlines"),
    ("backup_timeout", 604_801),
]


def cases(*tables):
    return [
        (dag_id, name, value) for dags, table in tables for name, value in table for dag_id in dags or holding(name)
    ]


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    cases(
        ((), LEGAL),
        (DAGS[:1], [("destination_option", "recovery_window=7d&log_archive_piece_switch_interval=1d")]),
        (DAGS[:1], [("destination_option", ""), ("destination", ""), ("piece_switch_interval", "3d")]),
        (DAGS[1:2], [("description", "每周 full, no. 1"), ("destination", "")]),
    ),
)
def test_a_form_takes(forms, dag_id, name, value):
    forms[dag_id].deep_merge({**GIVEN.get(dag_id, {}), name: value}).validate()


@pytest.mark.parametrize(
    ("dag_id", "name", "value"), cases(((), ILLEGAL), (DAGS[:1], LOG_ILLEGAL), (DAGS[1:2], DATA_ILLEGAL))
)
def test_a_form_refuses(forms, dag_id, name, value):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match=f"Invalid input for param {name}: "):
        forms[dag_id].deep_merge({**GIVEN.get(dag_id, {}), name: value}).validate()


def test_the_tasks_take_what_the_form_takes(forms):
    """A form that refuses less than the tasks is late; one that refuses more is in the way."""
    from airflow_ob_provider.oceanbase.compliance.policy import Policy
    from airflow_ob_provider.oceanbase.destination import Destination

    for name, value in LEGAL:
        if name == "destination":
            place = Destination.parse(value.strip())
            assert (place.problem() or "needs").find("needs") >= 0, "only keys and endpoint are left to ask for"
        if name == "policy":
            Policy.parse(value)
