"""What the graph shows: names to read, in the order of the runbook, and what each task does and proves."""

from __future__ import annotations

import pytest

DAGS = (
    "ob_log_archive", "ob_data_backup", "ob_archive_compliance", "ob_archive_recovery", "ob_archive_destination_move",
)  # fmt: skip

LOG_ARCHIVE = [
    ("list_clusters", "List the clusters"),
    ("approval_gate", "Is an approval needed?"),
    ("approve_mandatory_mode", "Approve mandatory mode"),
    ("proceed", "Approved, or nothing to approve"),
    ("cluster", "Log backup of one cluster"),
    ("cluster.prerequisites", "Before the start: prerequisites"),
    ("cluster.destination", "Before the start: destination"),
    ("cluster.option", "1. Mode and compression"),
    ("cluster.freeze", "2. Minor freeze before the start"),
    ("cluster.freeze.needed", "Is a freeze of use?"),
    ("cluster.freeze.minor_freeze", "Freeze, until it is on disk"),
    ("cluster.start", "2. Start log backup"),
    ("cluster.verify", "3. and 4. Has it begun, and does it work?"),
    ("cluster.verify.round_runs", "Does a round run?"),
    ("cluster.verify.doing", "3. DOING everywhere"),
    ("cluster.verify.pieces", "4. Pieces ACTIVE and AVAILABLE"),
    ("cluster.verify.checkpoint", "Proof: archived up to now"),
    ("cluster.summary", "Report of the cluster"),
    ("report", "Report of all clusters"),
]
"""Ids and names. Ids stay as they are from release to release: they are in users' histories."""


@pytest.fixture(scope="module")
def dags():
    """The DAGs as the API server has them."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    from .conftest import DAGS as FOLDER

    bag = DagBag(FOLDER)
    return {
        dag_id: DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag.dags[dag_id])) for dag_id in DAGS
    }


def nodes(group):
    """Id, name and words of each node of a graph, groups too."""
    from airflow.serialization.definitions.taskgroup import SerializedTaskGroup

    for child in group.children.values():
        if isinstance(child, SerializedTaskGroup):
            yield child.group_id, child.group_display_name, child.tooltip
            yield from nodes(child)
        else:
            yield child.task_id, child.task_display_name, child.doc_md


def test_it_reads_as_the_runbook(dags):
    found = {node: name for node, name, _ in nodes(dags["ob_log_archive"].task_group)}
    assert found == dict(LOG_ARCHIVE)


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_node_has_a_name_to_read_and_says_what_it_does(dags, dag_id):
    found = list(nodes(dags[dag_id].task_group))
    assert found
    for node, name, words in found:
        assert name[:1].isupper() or name[:1].isdigit(), node
        assert name not in node, node
        assert words, node
        assert words.strip().endswith("."), node
        assert len(words) < 400, f"{node}: two or three lines, not a page"


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_name_stands_once_in_its_group(dags, dag_id):
    from collections import Counter

    names = Counter((node.rpartition(".")[0], name) for node, name, _ in nodes(dags[dag_id].task_group))
    assert max(names.values()) == 1
