"""What the aggregates tell is what a look at every row tells, for rows made at random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, TenantRecord
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.dialects.backup_reader import BackupReader
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v3_backups import V3Backups
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.dialects.v4_backups import V4Backups
from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.oceanbase.windows import CauseKind, Recovery, Round, recovery
from airflow_ob_provider.sandbox import Sandbox
from tests.kernel.samples import rows_of
from tests.kernel.twin import Twin
from tests.unit.oceanbase.catalog_box import CST, NOW

SECOND = 10**9
DAY = 86_400 * SECOND
BASE = int(datetime(2026, 3, 1, tzinfo=CST).timestamp()) * SECOND
"""Times are nanoseconds, as 4.x has them."""
SHOP, BANK = 1002, 1004
CLEANED = ("EXPIRED", "DELETING", "DELETED")


@dataclass
class Piece:
    tenant: int
    round_id: int
    piece_id: int
    start: int
    end: int
    checkpoint: int
    status: str
    file_status: str


@dataclass
class RoundOf:
    tenant: int
    round_id: int
    status: str
    start: int
    checkpoint: int


@dataclass
class SetOf:
    tenant: int
    set_id: int
    kind: str
    status: str
    file_status: str
    start: int
    end: int


@dataclass
class History:
    rounds: list[RoundOf]
    pieces: list[Piece]
    sets: list[SetOf]


# --- any history ------------------------------------------------------------------------------------------------------

nearly = st.sampled_from  # the first is what shrinking ends at
shifts = nearly([0] * 30 + [1, -1, 999, 1000, -1000, SECOND, -SECOND, DAY, -DAY])
lengths = nearly([DAY] * 20 + [0, 1, 1000, 3600 * SECOND, 2 * DAY, -1000, -DAY])
steps = nearly([1] * 40 + [0, 2, 3])
conditions = nearly(
    ["AVAILABLE"] * 60 + ["BROKEN", "INCOMPLETE", "INCOMPELTE", "COPYING", "DELETED", "EXPIRED", "?", ""]
)
words = nearly(["FROZEN"] * 60 + ["ACTIVE", "FREEZING", "frozen"])


@st.composite
def rounds_of(draw: st.DrawFn, tenant: int) -> tuple[list[RoundOf], list[Piece]]:
    rounds: list[RoundOf] = []
    pieces: list[Piece] = []
    at, number = BASE, 0
    for round_id in range(1, 1 + draw(st.integers(0, 3))):
        at += draw(nearly([DAY, 3600 * SECOND, 0, -DAY]))
        start = at
        gone = draw(nearly([0, 0, 0, 1, 2, 9]))
        made: list[Piece] = []
        for index in range(draw(st.integers(0, 6))):
            number += draw(steps)
            at += draw(shifts) if index else 0
            end = at + draw(lengths)
            file_status = draw(nearly(CLEANED)) if index < gone else draw(conditions)
            checkpoint = draw(nearly([end, end, at, end - 1000]))
            made.append(Piece(tenant, round_id, number, at, end, checkpoint, draw(words), file_status))
            at = end
        status = draw(nearly(["STOP", "DOING", "DOING", "INTERRUPTED", "BEGINNING", "?"]))
        if made and status != "STOP":
            made[-1].status = draw(nearly(["ACTIVE", "ACTIVE", "FROZEN"]))
            made[-1].file_status = draw(nearly(["AVAILABLE", "AVAILABLE", "INCOMPLETE", made[-1].file_status]))
            if len(made) > 1:
                made[-2].status = draw(nearly(["FROZEN", "FROZEN", "ACTIVE", "FREEZING"]))
        checkpoint = at + draw(nearly([0, -1000, -3600 * SECOND, -DAY, 1000]))
        rounds.append(RoundOf(tenant, round_id, status, start, checkpoint))
        pieces += made
    return rounds, pieces


@st.composite
def sets_of(draw: st.DrawFn, tenant: int) -> list[SetOf]:
    made = []
    at = BASE - DAY
    for set_id in range(8, 8 + draw(st.integers(0, 6))):
        start = at + draw(nearly([DAY, 3600 * SECOND, 2 * DAY, 0]))
        at = start + draw(nearly([3600 * SECOND, 0, 1000, DAY]))
        kind = draw(nearly(["full"] * 6 + ["inc"]))
        status = draw(nearly(["SUCCESS"] * 12 + ["FAILED", "DOING", "?"]))
        file_status = draw(nearly(["AVAILABLE"] * 12 + ["DELETED", "BROKEN", "COPYING", "?"]))
        made.append(SetOf(tenant, set_id, kind, status, file_status, start, at))
    return made


@st.composite
def histories(draw: st.DrawFn, *tenants: int) -> History:
    found = History([], [], [])
    for tenant in tenants:
        rounds, pieces = draw(rounds_of(tenant))
        found.rounds += rounds
        found.pieces += pieces
        found.sets += draw(sets_of(tenant))
    return found


# --- as the views show it ---------------------------------------------------------------------------------------------


def shown_4(history: History, tenants: tuple[int, ...]) -> dict[str, list[dict[str, Any]]]:
    summary = [
        {"TENANT_ID": r.tenant, "ROUND_ID": r.round_id, "INCARNATION": 1, "STATUS": r.status, "START_SCN": r.start,
         "CHECKPOINT_SCN": r.checkpoint, "COMMENT": "", "USED_PIECE_ID": 1}
        for r in history.rounds
    ]  # fmt: skip
    return {
        "DBA_OB_TENANTS": [
            {"TENANT_ID": tenant, "TENANT_NAME": f"t{tenant}", "TENANT_TYPE": "USER", "STATUS": "NORMAL",
             "IN_RECYCLEBIN": "NO", "LOG_MODE": "ARCHIVELOG"}
            for tenant in tenants
        ],
        "CDB_OB_ARCHIVELOG_SUMMARY": summary,
        "CDB_OB_ARCHIVELOG": list({row["TENANT_ID"]: row for row in summary}.values()),
        "CDB_OB_ARCHIVELOG_PIECE_FILES": [
            {"TENANT_ID": p.tenant, "ROUND_ID": p.round_id, "PIECE_ID": p.piece_id, "START_SCN": p.start,
             "END_SCN": p.end, "CHECKPOINT_SCN": p.checkpoint, "STATUS": p.status, "FILE_STATUS": p.file_status}
            for p in reversed(history.pieces)
        ],
        "CDB_OB_BACKUP_SET_FILES": [
            {"TENANT_ID": s.tenant, "BACKUP_SET_ID": s.set_id, "BACKUP_TYPE": "FULL" if s.kind == "full" else "INC",
             "STATUS": s.status, "FILE_STATUS": s.file_status, "START_REPLAY_SCN": s.start, "MIN_RESTORE_SCN": s.end,
             "START_TIMESTAMP": local(s.start), "END_TIMESTAMP": local(s.end)}
            for s in history.sets
        ],
        "DBA_OB_ROOTSERVICE_EVENT_HISTORY": [],
    }  # fmt: skip


def local(nanoseconds: int) -> str:
    """In the cluster's zone, in microseconds."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=nanoseconds // 1000)
    return f"{moment.astimezone(CST):%Y-%m-%d %H:%M:%S.%f}"


def shown_3(history: History, tenants: tuple[int, ...]) -> dict[str, list[dict[str, Any]]]:
    (tenant,) = tenants
    summary = [
        {"TENANT_ID": who, "LOG_ARCHIVE_ROUND": r.round_id, "INCARNATION": 1, "STATUS": r.status,
         "MIN_FIRST_TIME": local(r.start), "MAX_NEXT_TIME": local(r.checkpoint), "BACKUP_PIECE_ID": 1}
        for r in history.rounds
        for who in (1, tenant)
    ]  # fmt: skip
    pieces = []
    for p, after in zip_longest(history.pieces, history.pieces[1:]):
        switching = is_open(p) and after is not None and after.round_id == p.round_id and after.status == "ACTIVE"
        pieces.append(
            {"TENANT_ID": p.tenant, "ROUND_ID": p.round_id, "BACKUP_PIECE_ID": p.piece_id, "COPY_ID": 0,
             "START_TS": local(p.start), "MAX_TS": "MAX" if is_open(p) and (switching or p.end % 3) else local(p.end),
             "CHECKPOINT_TS": local(p.checkpoint), "STATUS": p.status, "FILE_STATUS": p.file_status}
        )  # fmt: skip
        if len(pieces) > 1 and pieces[-2]["MAX_TS"] == "MAX" and p.status == "ACTIVE" and p.start % 7:
            pieces[-1]["START_TS"] = ""
    pieces += [{**piece, "COPY_ID": 1, "FILE_STATUS": "BROKEN"} for piece in pieces[:1]]
    return {
        "gv$tenant": [{"tenant_id": 1, "tenant_name": "sys"}, {"tenant_id": tenant, "tenant_name": f"t{tenant}"}],
        "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY": summary,
        "CDB_OB_BACKUP_ARCHIVELOG": list({row["TENANT_ID"]: row for row in summary}.values()),
        "CDB_OB_BACKUP_PIECE_FILES": pieces,
        "CDB_OB_BACKUP_SET_FILES": [
            {"TENANT_ID": s.tenant, "BS_KEY": s.set_id, "COPY_ID": 0, "BACKUP_TYPE": "D" if s.kind == "full" else "I",
             "STATUS": s.status, "FILE_STATUS": s.file_status, "START_TIME": local(s.start),
             "COMPLETION_TIME": local(s.end)}
            for s in history.sets
        ],
        "__all_rootservice_event_history": [],
    }  # fmt: skip


# --- all rows, one by one ---------------------------------------------------------------------------------------------


def one_by_one(twin: Twin, tenant: int, record: TenantRecord) -> Recovery:
    """From every row of the views, without an aggregate."""
    dialect = dialect_for(detect_version(twin), twin)
    reader: BackupReader
    if isinstance(dialect, V4Dialect):
        reader = V4Backups(dialect)
    else:
        assert isinstance(dialect, V3Dialect)
        reader = V3Backups(dialect)
    catalog = reader.state()
    rounds = []
    for one in record.rounds:
        rows = list(dialect.read(reader.pieces_query([(tenant, one.round_id)])))
        stretches = sorted((reader.stretch(row) for row in rows), key=lambda s: s.first_id)
        rounds.append(Round(one.round_id, one.state, one.started, one.checkpoint, tuple(stretches), one.comment))
    fulls = [full for row in dialect.read(reader.sets_query([tenant])) if (full := reader.full(row))]
    assert catalog.tenants
    return recovery(rounds, fulls, partial_pieces=reader.partial_pieces)


def is_open(piece: Piece) -> bool:
    return piece.status.upper() != "FROZEN"


def is_whole(pieces: list[Piece], *, switches: bool) -> bool:
    """By the definition, over pairs of pieces. ``switches``: 3.x, one that is being left does not show its end."""
    kept = [p for p in pieces if p.file_status not in CLEANED]
    return (
        all(b.piece_id == a.piece_id + 1 for a, b in pairwise(pieces))
        and all(b.start == a.end or (switches and is_open(a)) for a, b in pairwise(pieces))
        and all(p.start <= p.end or (switches and is_open(p)) for p in pieces)
        and all(p.file_status == "AVAILABLE" for p in kept[:-1])
        and all(p.file_status in {"AVAILABLE", "INCOMPLETE", "INCOMPELTE"} for p in kept[-1:])
        and (not kept or pieces[len(pieces) - len(kept) :] == kept)
    )


def essence(found: Recovery) -> object:
    """Pieces that were cleaned are one cause or many, which begin at other times."""
    gaps = [
        (gap.start, gap.end, gap.ended_by, gap.pending,
         sorted({cause.kind for cause in gap.causes} - {CauseKind.PIECE_CLEANED}))
        for gap in found.gaps
    ]  # fmt: skip
    return found.windows, gaps


@pytest.fixture(scope="module")
def boxes() -> dict[str, Sandbox]:
    profiles = ("3.1.5", "4.2.5")
    return {profile: Sandbox(profile, manual_clock=True, start_time=NOW) for profile in profiles}


def catalog_of(twin: Twin) -> BackupCatalog:
    return dialect_for(detect_version(twin), twin).backup_catalog()


def check(twin: Twin, history: History) -> None:
    catalog = catalog_of(twin)
    assert not catalog.unread
    for record in catalog.tenants:
        tenant = record.tenant.tenant_id
        assert record.doubt == ""
        assert record.recovery is not None
        assert essence(record.recovery) == essence(one_by_one(twin, tenant, record))
        usable = [
            s.set_id for s in history.sets
            if s.tenant == tenant and (s.kind, s.status, s.file_status) == ("full", "SUCCESS", "AVAILABLE")
        ]  # fmt: skip
        assert (record.newest_full and record.newest_full.set_id) == max(usable, default=None)
        for one in record.rounds:
            if one.round_id not in record.suspects:
                pieces = [p for p in history.pieces if (p.tenant, p.round_id) == (tenant, one.round_id)]
                assert is_whole(sorted(pieces, key=lambda p: p.piece_id), switches=catalog.scope is Scope.CLUSTER)


@given(history=histories(SHOP, BANK))
def test_tenants_of_4_x(history: History, boxes: dict[str, Sandbox]) -> None:
    check(Twin(boxes["4.2.5"], None, rows=rows_of(shown_4(history, (SHOP, BANK)))), history)


@given(history=histories(SHOP))
def test_tenant_of_3_x(history: History, boxes: dict[str, Sandbox]) -> None:
    for piece in history.pieces:  # the times of 3.x are microseconds
        piece.start, piece.end = piece.start // 1000 * 1000, piece.end // 1000 * 1000
    check(Twin(boxes["3.1.5"], None, rows=rows_of(shown_3(history, (SHOP,)))), history)
