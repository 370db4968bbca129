"""Every statement this package can produce is grammar to a real kernel; what it refuses never reaches one.

A statement that a kernel of 4.3.5 cannot parse is answered with 1064. Whatever else it answers, it has understood it.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_ob_provider.exceptions import OceanBaseServerError
from airflow_ob_provider.hooks.drivers import connect
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook, OceanBaseSession
from airflow_ob_provider.hooks.settings import ConnectionFieldError, ConnectionSettings
from airflow_ob_provider.oceanbase.data_backup import MAX_DESCRIPTION, BackupKind, BackupRequest
from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption, Keys, WantedDestination
from airflow_ob_provider.oceanbase.dialects import v4_statements
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v3_data_backup import V3DataBackups
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.dialects.v4_catalogue import Catalogue
from airflow_ob_provider.oceanbase.dialects.v4_data_backup import V4DataBackups
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode, ArchiveOption, Compression, WantedOption
from airflow_ob_provider.oceanbase.statements import Statement, quote
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.operators.base import OceanBaseOperator
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sandbox.kernel import Kernel
from tests.kernel.relay import Relay, relay
from tests.kernel.wrong import CONNECTIONS, CUT, DONE, NO_TENANT, SYNTAX, TAKEN, TASKS, Wrong
from tests.unit.oceanbase import fake_server, fake_server4
from tests.unit.oceanbase.dialects.test_v4_statements import NUMBERS
from tests.unit.operators.harness import make_context

stable = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

NO_COLUMN, NO_VIEW, UNKNOWN_PARAMETER = 1054, 1146, 5099
NO_SYS = 4016
"""Tenant sys cannot be backed up: looked at after the parsing."""


@dataclass
class Server:
    """One session for all, so that a connection that drops is seen."""

    session: OceanBaseSession
    answers: Counter[int] = field(default_factory=Counter)

    def answer(self, statement: Statement) -> tuple[int, str]:
        """Error number (0: done) and text."""
        try:
            self.session.execute(statement)
            errno, text = 0, ""
        except OceanBaseServerError as error:
            errno, text = error.errno, error.message
        self.answers[errno] += 1
        return errno, text


@pytest.fixture(scope="module")
def server(kernel: Kernel) -> Iterator[Server]:
    """The kernel, its parameters as they were afterwards."""
    at = ConnectionSettings(host=kernel.host, port=kernel.port, user="root@sys", password="", schema="oceanbase")
    found = Server(OceanBaseSession(connect(at), where="kernel", tag="/* airflow-ob-provider 订单 */ "))
    identity = Statement.read("SELECT CONNECTION_ID() AS id")
    before = found.session.query(identity)
    yield found
    for name, value in (("archive_lag_target", "120s"), ("log_archive_concurrency", "0")):
        found.session.execute(v4_statements.parameter("", name, value))
    assert found.session.query(identity) == before, "the connection was dropped on the way"
    found.session.close()


def version(number: str) -> OceanBaseVersion:
    return OceanBaseVersion.parse(f"OceanBase {number} (r1)")


# --- what may stand in a statement ------------------------------------------------------------------------------------

WORDS = ("sys", "Shop", "all", "all_user", "all_meta", "select", "tenant", "NULL", "default", "_$", "META$1002", "订单")
anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
tricks = st.text("a'\"`\\;%-#/*= \n\x00订\u3000\u2028", min_size=1, max_size=8)
tenant_names = st.just("sys") | st.sampled_from(WORDS) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_$]{0,127}", fullmatch=True)
any_names = st.booleans().flatmap(lambda known: st.just("sys") if known else tenant_names | anything | tricks)
sys_or_own = st.sampled_from([True, False])


def dialect(number: str = "4.3.5.3", *, is_sys: bool = True) -> V4Dialect:
    return V4Dialect(version(number), lambda _: [{"tenant_id": 1}] if is_sys else [])


def clause(name: str, *, is_sys: bool) -> str:
    return dialect(is_sys=is_sys).of_tenant(Tenant(1, name))


def row(name: str = "sys") -> ArchiveRow:
    return ArchiveRow(Tenant(1, name), ArchiveState.STOP, "STOP", 0, 0, None, None)


keys = st.text("aZ9/+=%-_.~ 钥", min_size=1, max_size=40)
regions = st.sampled_from(["", "&s3_region=cn-north-1"])
modes = st.sampled_from(["", "&delete_mode=delete", "&delete_mode=tagging"])
models = st.sampled_from(["", "&addressing_model=path_style", "&addressing_model=virtual_hosted_style"])
paths = st.text("ab/._-+=%$#;,~(){}!@|^<>*:备份", min_size=1, max_size=40).map(lambda text: "/" + text.strip("/?"))


def legal(place: Destination) -> bool:
    return place.problem() is None and not place.placeholders


files = paths.map(lambda path: Destination.parse(f"file://{path}")).filter(legal)
long_files = st.integers(300, 1015).map(lambda size: Destination.parse("file:///" + "x" * size))
stores = st.builds(
    lambda scheme, path, host, more, access_id, access_key: Destination.parse(
        f"{scheme}://bucket{path}?host={host}{more}{'&appid=125' if scheme == 'cos' else ''}"
    ).with_keys(Keys(access_id, access_key)),
    st.sampled_from(["s3", "azblob", "oss", "cos"]),
    paths,
    st.sampled_from(["h", "oss-cn.aliyuncs.com", "10.0.0.1:9000", "minio", "http://minio:9000"]),
    st.builds(lambda *parts: "".join(parts), regions, modes, models),
    keys,
    keys,
).filter(legal)
places = files | long_files | stores
archive_modes, days = st.sampled_from(ArchiveMode), st.integers(1, 7)
wanted_options = st.builds(
    WantedOption,
    st.none() | archive_modes,
    lag_target=st.none() | st.integers(0, 7200),
    concurrency=st.none() | st.integers(0, 100),
)

# --- every builder ----------------------------------------------------------------------------------------------------

Maker = Callable[[], Sequence[Statement]]
"""Raises ValueError where the statement is refused."""


def made(build: Callable[..., Statement], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Maker]:
    return st.tuples(*arguments).map(lambda drawn: lambda: [build(*drawn)])


def of_tenants(build: Callable[..., Statement], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Maker]:
    """Statements that begin with a tenant's clause."""
    return st.tuples(any_names, sys_or_own, st.tuples(*arguments)).map(
        lambda drawn: lambda: [build(clause(drawn[0], is_sys=drawn[1]), *drawn[2])]
    )


def switch(method: str) -> st.SearchStrategy[Maker]:
    return st.tuples(st.sampled_from(NUMBERS), any_names, sys_or_own).map(
        lambda drawn: lambda: [getattr(dialect(drawn[0], is_sys=drawn[2]), method)(row(drawn[1]))]
    )


def planned(number: str, own: int | None, name: str, plan: Callable[[V4Dialect], Sequence[Any]]) -> list[Statement]:
    """Of a cluster whose tenants ``name`` and bank have a place, and no round that runs."""
    fake = fake_server4.healthy(number, own=own)
    fake.update("DBA_OB_TENANTS", 1002, TENANT_NAME=name)
    for tenant_id in (1002, 1004):
        fake.archive(tenant_id, "STOP")
    return [one for change in plan(V4Dialect(fake.version, fake)) for one in change.statements]


def plans(plan: Callable[[V4Dialect, Any], Sequence[Any]], wish: st.SearchStrategy[Any]) -> st.SearchStrategy[Maker]:
    return st.tuples(st.sampled_from(NUMBERS), st.sampled_from([None, 1002]), any_names, wish).map(
        lambda drawn: lambda: planned(*drawn[:3], lambda found: plan(found, drawn[3]))
    )


descriptions = st.text("nightly 0-9[]()%;#/*=.,备份", max_size=MAX_DESCRIPTION).map(str.strip) | anything | tricks
backup_requests = st.builds(
    lambda kind, plus, text: BackupRequest.check(kind, plus_archivelog=plus, description=text),
    st.sampled_from(BackupKind),
    st.booleans(),
    descriptions.filter(lambda text: not set(text) & set("'\"`\\") and text.isprintable()),
)


def data_planned(number: str, own: int | None, name: str, wish: WantedDestination) -> list[Statement]:
    """Of a cluster whose tenants ``name`` and bank have no destination of data backups."""
    fake = with_backups(fake_server4.healthy(number, own=own))
    fake.update("DBA_OB_TENANTS", 1002, TENANT_NAME=name)
    plan = V4Dialect(fake.version, fake).data_backups.plan_destination(wish, ())
    return [one for change in plan for one in change.statements]


_JOBS = (
    "TENANT_ID JOB_ID BACKUP_SET_ID INITIATOR_TENANT_ID INITIATOR_JOB_ID EXECUTOR_TENANT_ID PLUS_ARCHIVELOG "
    "BACKUP_TYPE START_TIMESTAMP END_TIMESTAMP STATUS RESULT COMMENT DESCRIPTION"
)
_BACKUP_VIEWS = {
    "BACKUP_PARAMETER": "TENANT_ID NAME VALUE",
    "BACKUP_JOBS": _JOBS,
    "BACKUP_JOB_HISTORY": _JOBS,
    "BACKUP_TASKS": "TENANT_ID JOB_ID STATUS TABLET_COUNT FINISH_TABLET_COUNT MACRO_BLOCK_COUNT "
    "FINISH_MACRO_BLOCK_COUNT",
    "BACKUP_SET_FILES": "TENANT_ID BACKUP_SET_ID STATUS FILE_STATUS MIN_RESTORE_SCN",
}
_BACKUP_VIEWS_3 = {
    "CDB_OB_BACKUP_SET_FILES": "TENANT_ID BS_KEY COPY_ID BACKUP_TYPE STATUS FILE_STATUS START_TIME COMPLETION_TIME",
    "CDB_OB_BACKUP_PROGRESS": "TENANT_ID BS_KEY BACKUP_TYPE PARTITION_COUNT MACRO_BLOCK_COUNT FINISH_PARTITION_COUNT "
    "FINISH_MACRO_BLOCK_COUNT START_TIME STATUS",
}


def with_backups(fake: Any) -> Any:
    """The cluster with the views of data backups, which are empty."""
    if isinstance(fake, fake_server.FakeServer):
        for name, columns in _BACKUP_VIEWS_3.items():
            fake.create(name, columns.split())
        return fake
    for name, columns in _BACKUP_VIEWS.items():
        all_columns = columns.split()
        fake.create(*((f"CDB_OB_{name}", all_columns) if fake.own is None else (f"DBA_OB_{name}", all_columns[1:])))
    return fake


wanted_places = st.builds(
    WantedDestination,
    st.none() | places.map(lambda place: replace(place, path=f"{place.path}/{{tenant_id}}")),
    piece_switch_days=st.none() | days,
)

which_tenants = st.just(" DATABASE") | st.lists(any_names, min_size=1, max_size=3, unique=True).map(
    lambda names: " TENANT = " + ", ".join(f"'{name}'" for name in names if name.isidentifier() or name == "sys")
).filter(lambda text: text.endswith("'"))

BUILDERS: dict[str, tuple[st.SearchStrategy[Maker], set[int]]] = {
    # Legal statements that this kernel has lost are CUT; a tenant that is not there is told after the parsing.
    "v4_statements.start": (of_tenants(v4_statements.start), {CUT, NO_TENANT}),
    "v4_statements.stop": (of_tenants(v4_statements.stop), {CUT, NO_TENANT}),
    "v4_statements.enable": (of_tenants(v4_statements.enable), {CUT, NO_TENANT}),
    "v4_statements.destination": (
        of_tenants(v4_statements.destination, places, archive_modes, days),
        {CUT, NO_TENANT},
    ),
    # These this kernel has, and does.
    "v4_statements.parameter": (
        of_tenants(v4_statements.parameter, st.just("archive_lag_target"), st.integers(0, 7200).map("{}s".format))
        | of_tenants(v4_statements.parameter, st.just("log_archive_concurrency"), st.integers(0, 100).map(str)),
        {DONE, NO_TENANT},
    ),
    "v4_statements.freeze": (
        made(v4_statements.freeze, st.sampled_from(["", " TENANT = all", " TENANT = all_user", " TENANT = 'sys'"])),
        {DONE},
    ),
    "v4_statements.backup": (
        made(v4_statements.backup, backup_requests, which_tenants, descriptions),
        {CUT, NO_TENANT, NO_SYS},
    ),
    "v4_statements.cancel_backup": (of_tenants(v4_statements.cancel_backup), {CUT, NO_TENANT, NO_SYS}),
    "v4_statements.data_destination": (of_tenants(v4_statements.data_destination, places), {CUT, NO_TENANT}),
    "V4DataBackups.start": (
        st.tuples(backup_requests, st.lists(any_names, max_size=3, unique=True), sys_or_own).map(
            lambda drawn: lambda: [dialect(is_sys=drawn[2]).data_backups.start(drawn[0], drawn[1], "0123456789ab")]
        ),
        {CUT, NO_TENANT, NO_SYS},
    ),
    "V4DataBackups.cancel": (
        st.tuples(st.lists(any_names, max_size=3, unique=True), sys_or_own).map(
            lambda drawn: lambda: [dialect(is_sys=drawn[1]).data_backups.cancel(drawn[0])]
        ),
        {CUT, NO_TENANT, NO_SYS},
    ),
    "V4DataBackups.plan_destination": (
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from([None, 1002]), any_names, wanted_places).map(
            lambda drawn: lambda: data_planned(*drawn)
        ),
        {CUT, NO_TENANT},
    ),
    "V4Dialect.start_archive": (switch("start_archive"), {CUT, NO_TENANT}),
    "V4Dialect.stop_archive": (switch("stop_archive"), {CUT, NO_TENANT}),
    "V4Dialect.resume_archive": (switch("resume_archive"), {CUT, NO_TENANT}),
    "V4Dialect.minor_freeze": (
        st.tuples(st.sampled_from(NUMBERS), st.lists(any_names, max_size=3, unique=True), sys_or_own).map(
            lambda drawn: lambda: [dialect(drawn[0], is_sys=drawn[2]).minor_freeze(drawn[1])]
        ),
        {DONE, NO_TENANT},
    ),
    "V4Dialect.plan_destination": (
        plans(lambda found, wish: found.plan_destination(wish), wanted_places),
        {CUT, NO_TENANT},
    ),
    "V4Dialect.plan_option": (
        plans(lambda found, wish: found.plan_option(wish), wanted_options),
        {DONE, CUT, NO_TENANT},
    ),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_every_statement_of_4x_is_grammar(server: Server, name: str) -> None:
    makers, accepted = BUILDERS[name]
    sent: Counter[int] = Counter()

    @stable
    @given(makers)
    def check(make: Maker) -> None:
        try:
            statements = make()
        except ValueError as error:
            assert re.search("holds a|cannot be named", str(error)), "the only reasons to refuse these"  # noqa: PT017
            return
        for statement in statements:
            errno, text = server.answer(statement)
            assert errno in accepted, f"[{errno}] {text}: {statement.text}"
            sent[errno] += 1

    check()
    assert sent.keys() & {DONE, CUT}, "no statement got past its tenant's name"


def test_every_attribute_of_a_destination_is_known(server: Server) -> None:
    """1235 is also the answer to an attribute that is not known; only to a known one can the value be wrong."""
    place = Destination.parse("file:///data")
    text = v4_statements.destination(clause("sys", is_sys=True), place, ArchiveMode.MANDATORY, 7).text
    value = text.split("'")[1]
    answers = {}
    for attribute in value.split():
        name = attribute.partition("=")[0]
        answers[name], _ = server.answer(Statement.write(text.replace(attribute, f"{name}=nonsense")))
    assert answers == {"LOCATION": 9026, "BINDING": 1210, "PIECE_SWITCH_INTERVAL": 1210}


@pytest.mark.parametrize("mode", ["STRICT_ALL_TABLES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"])
def test_what_is_quoted_is_read_as_it_was_written(server: Server, mode: str) -> None:
    """Whatever the DBA has set as sql_mode, which is why nothing is escaped."""
    (before,) = server.session.query(Statement.read("SELECT @@sql_mode AS mode"))
    server.session.execute(Statement.read(f"SET SESSION sql_mode = '{mode}'"))

    @stable
    @given(anything | tricks)
    def check(text: str) -> None:
        try:
            quoted = quote(text)
        except ValueError:
            return
        assert server.session.query(Statement.read(f"SELECT {quoted} AS v", holds_secrets=True)) == [{"v": text}]

    check()
    server.session.execute(Statement.read(f"SET SESSION sql_mode = '{before['mode']}'"))


# --- 3.x, where a kernel of 4.x has kept its grammar ------------------------------------------------------------------

OPTIONS = {
    "log_archive_checkpoint_interval": st.sampled_from(["5s", "1h", "120s"]),
    "recovery_window": st.sampled_from(["0", "7d", "36h"]),
    "log_archive_piece_switch_interval": st.sampled_from(["0", "1d", "7d"]),
    "auto_delete_obsolete_backup": st.sampled_from(["true", "false"]),
    "backup_copies": st.just("0"),
}
destination_options = (
    st.fixed_dictionaries({}, optional=OPTIONS)
    .filter(bool)
    .map(lambda found: DestinationOption.check("&".join(f"{name}={value}" for name, value in found.items())))
)


def dialect3() -> V3Dialect:
    fake = fake_server.healthy()
    fake._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = 'STOP'")
    return V3Dialect(version("3.1.5"), fake)


def plans3(plan: Callable[[V3Dialect, Any], Sequence[Any]], wish: st.SearchStrategy[Any]) -> st.SearchStrategy[Maker]:
    return wish.map(lambda drawn: lambda: [one for change in plan(dialect3(), drawn) for one in change.statements])


BUILDERS_3: dict[str, tuple[st.SearchStrategy[Maker], set[int]]] = {
    "V3Dialect.start_archive": (made(lambda: dialect3().start_archive(row())), {CUT}),
    "V3Dialect.stop_archive": (made(lambda: dialect3().stop_archive(row())), {CUT}),
    # Parameters that 4.0 has lost: the text was parsed, and the name is not known.
    "V3Dialect.set_option": (
        made(dialect3().set_option, st.builds(ArchiveOption, archive_modes, st.sampled_from(Compression))),
        {UNKNOWN_PARAMETER},
    ),
    "V3Dialect.set_destination": (made(dialect3().set_destination, places), {UNKNOWN_PARAMETER}),
    "V3Dialect.set_destination_option": (
        made(dialect3().set_destination_option, destination_options),
        {UNKNOWN_PARAMETER},
    ),
    "V3Dialect.plan_destination": (
        plans3(
            lambda found, wish: found.plan_destination(wish),
            st.builds(WantedDestination, st.none() | files | stores, st.none() | destination_options),
        ),
        {UNKNOWN_PARAMETER},
    ),
    "V3Dialect.plan_option": (
        plans3(
            lambda found, wish: found.plan_option(wish),
            st.builds(WantedOption, st.none() | archive_modes, st.none() | st.sampled_from(Compression)),
        ),
        {UNKNOWN_PARAMETER},
    ),
    # It is parsed, and means nothing to 4.x (1210).
    "V3Dialect.force_stop_archive": (made(lambda: dialect3().force_stop_archive()), {1210}),
    "V3DataBackups.start": (
        made(lambda request: dialect3().data_backups.start(request, (), ""), backup_requests),
        {CUT},
    ),
    "V3DataBackups.cancel": (made(lambda: dialect3().data_backups.cancel(())), {CUT}),
    # With tenants it is 3.x grammar only: see below.
    "V3Dialect.minor_freeze": (made(lambda: dialect3().minor_freeze()), {DONE}),
}
NOT_JUDGED_3 = {"V3Dialect.resume_archive", "V3DataBackups.plan_destination"}
"""There are none on 3.x."""


@pytest.mark.parametrize("name", BUILDERS_3)
def test_statements_of_3x_are_grammar(server: Server, name: str) -> None:
    makers, accepted = BUILDERS_3[name]

    @stable
    @given(makers)
    def check(make: Maker) -> None:
        for statement in make():
            errno, text = server.answer(statement)
            assert errno in accepted, f"[{errno}] {text}: {statement.text}"

    check()


def test_a_freeze_of_tenants_is_spelled_by_generation(server: Server) -> None:
    """The one statement of 3.x that a 4.x kernel cannot judge: it stops at the parenthesis."""
    errno, text = server.answer(dialect3().minor_freeze(["sys"]))
    assert errno == SYNTAX
    assert "near '('sys')'" in text
    assert server.answer(dialect().minor_freeze(["sys"])) == (DONE, "")


# --- what is read -----------------------------------------------------------------------------------------------------

SINCE = datetime(2024, 4, 13, 16, 0, 0, 250_000, tzinfo=UTC)
PLACE = Destination.parse("file:///data/new")
Reader = Callable[[Any], object]
READERS: dict[str, Reader] = {
    "is_sys": lambda found: found.is_sys,
    "identity": lambda found: found.identity(),
    "server_time": lambda found: found.server_time(),
    "cluster_name": lambda found: found.cluster_name(),
    "all_tenants": lambda found: found.all_tenants(),
    "tenants": lambda found: found.tenants(),
    "tenants_in_scope": lambda found: found.tenants_in_scope(["shop"]),
    "servers": lambda found: found.servers(),
    "archive": lambda found: found.archive(),
    "pieces": lambda found: (found.pieces(), found.pieces(7)),
    "freeze_progress": lambda found: [
        found.freeze_progress(since=since, tenant_ids=ids) for since in (None, SINCE) for ids in ((), (1002, 1004))
    ],
    "checkpoint_delay": lambda found: found.checkpoint_delay(["shop"]),
    "lag_targets": lambda found: found.lag_targets(),
    "parameters": lambda found: found.parameters("archive_lag_target", "log_archive_concurrency"),
    "destinations": lambda found: found.destinations(),
    "prerequisites": lambda found: found.prerequisites(destination=PLACE, restart_interrupted=False),
    "connection_note": lambda found: found.connection_note(found.identity()),
    "option_setting": lambda found: found.option_setting(),
    "destination_setting": lambda found: found.destination_setting(),
    "second_destination_setting": lambda found: found.second_destination_setting(),
    "destination_option_setting": lambda found: found.destination_option_setting(),
    "data_backup_runs": lambda found: found.data_backup_runs(),
    "timestamp_services": lambda found: found.timestamp_services(),
    "cluster_role": lambda found: found.cluster_role(),
    "break_history": lambda found: found.break_history(),
    "clock_deviations": lambda found: found.clock_deviations(),
    "backup_catalog": lambda found: found.backup_catalog(),
    "data_backups": lambda found: [
        read(found.data_backups) for name, read in BACKUP_READERS.items() if hasattr(found.data_backups, name)
    ],
}
BACKUP_READERS: dict[str, Reader] = {
    "readiness": lambda found: found.readiness(),
    "started": lambda found: found.started(7),
    "job": lambda found: found.job(7),
    "plan_destination": lambda found: found.plan_destination(WantedDestination(None), ()),
}
NO_SQL = {
    "force_stop_archive",  # of 3.x is judged; of 4.x it is refused
    "force_stop_state",  # reads the settings and the state, as others do
    "catalogue",
    "check",
    "check_scope",
    "count",
    "freeze_advised",
    "of_tenant",
    "of_tenants",
    "read",
    "snapshot",
    "version",
}


def read_all(found: Any, fake: Any, server: Server, *, leave_out: str = "") -> Counter[int]:
    """Read everything from a cluster of the manual's shape, and have the kernel parse what that one was asked."""
    for name, read in READERS.items():
        if name == "data_backups":
            with_backups(fake)  # the catalog is read without them, as the fake servers cannot do what it asks of them
        if hasattr(type(found), name) and name != leave_out:
            read(found)
    answers: Counter[int] = Counter()
    for text in sorted({statement.text for statement in fake.asked}):
        errno, message = server.answer(Statement.read(text))
        # Views and columns that this kernel has not are missed when all has been parsed.
        assert errno in {DONE, NO_VIEW, NO_COLUMN}, f"[{errno}] {message}: {text}"
        answers[errno] += 1
    return answers


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
@pytest.mark.parametrize("number", NUMBERS)
def test_everything_that_is_read_of_4x_is_grammar(
    server: Server, monkeypatch: pytest.MonkeyPatch, number: str, own: int | None
) -> None:
    views = public(Catalogue) - {"is_sys", "view"}
    used: set[str] = set()
    for name in views:
        monkeypatch.setattr(Catalogue, name, noted(getattr(Catalogue, name), used))
    fake = fake_server4.healthy(number, own=own)
    fake.archive(1002, "INTERRUPTED")
    answers = read_all(V4Dialect(fake.version, fake), fake, server, leave_out="servers" if own else "")
    assert used == views - ({"log_streams"} if number.startswith("4.0") else set())
    assert answers[DONE], "SHOW and the clock are there"


def noted(function: Callable[..., Any], used: set[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        used.add(function.__name__)
        return function(*args, **kwargs)

    return call


def test_everything_that_is_read_of_3x_is_grammar(server: Server) -> None:
    fake = fake_server.healthy()
    assert read_all(V3Dialect(version("3.1.5"), fake), fake, server)[DONE]


# --- none is forgotten ------------------------------------------------------------------------------------------------


def public(owner: object) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def test_no_builder_is_forgotten() -> None:
    functions = {
        name for name, found in inspect.getmembers(v4_statements, inspect.isfunction)
        if found.__module__ == v4_statements.__name__ and not name.startswith("_")
    }  # fmt: skip
    assert {f"v4_statements.{name}" for name in functions} == {name for name in BUILDERS if name[0] == "v"}
    of_4, of_3 = set(BUILDERS), {*BUILDERS_3, *NOT_JUDGED_3}
    classes = ((V4Dialect, of_4), (V3Dialect, of_3), (V4DataBackups, of_4), (V3DataBackups, of_3))
    for dialect_class, builders in classes:
        prefix = f"{dialect_class.__name__}."
        judged = {name.removeprefix(prefix) for name in builders if name.startswith(prefix)}
        there = public(dialect_class)
        assert there - judged - set(READERS) - set(BACKUP_READERS) - NO_SQL == set(), (
            "neither a builder nor a reader: add it"
        )
        assert judged <= there
    assert public(V4Dialect) | public(V3Dialect) >= set(READERS)


def test_statements_are_built_nowhere_else() -> None:
    root = Path(inspect.getfile(Statement)).parents[1]
    sources = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.py")}

    def users(call: str) -> set[str]:
        return {name for name, text in sources.items() if call in text and not name.startswith("sandbox")}

    assert users("Statement.write(") == {
        "oceanbase/dialects/v3.py",
        "oceanbase/dialects/v3_data_backup.py",
        "oceanbase/dialects/v3_force.py",  # one statement without values, of 3.x alone
        "oceanbase/dialects/v4_statements.py",
    }
    assert users("Statement.read(") == {
        "oceanbase/dialects/base.py",
        "oceanbase/dialects/reading.py",
        "hooks/oceanbase.py",  # ob_query_timeout: see test_live.py
    }


# --- what is refused --------------------------------------------------------------------------------------------------


each_task = pytest.mark.parametrize(
    ("operator", "wrong"), TASKS, ids=[f"{kind.__name__}-{str(wrong.arguments)[:60]!a}" for kind, wrong in TASKS]
)


@pytest.fixture(scope="module")
def between(kernel: Kernel) -> Iterator[Relay]:
    """Sees everything that a task or a hook sends."""
    with relay(kernel) as found:
        yield found


@each_task
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    add_kernel: Callable[..., str], between: Relay, operator: type[OceanBaseOperator], wrong: Wrong
) -> None:
    task = operator(task_id="task", oceanbase_conn_id=add_kernel(port=between.port), **wrong.arguments)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words follow
        task.execute(make_context())
    for words in wrong.says:
        assert words in str(caught.value)
    assert "Zq7" not in str(caught.value)
    assert (between.connections, between.statements) == (0, [])


@pytest.mark.parametrize(
    "wrong", [one for _, one in TASKS if one.raw], ids=lambda wrong: ascii(str(wrong.arguments)[:60])
)
def test_what_the_kernel_says_of_it(server: Server, wrong: Wrong) -> None:
    errno, text = server.answer(Statement.write(wrong.raw))
    assert errno == wrong.errno, text
    assert wrong.text in text
    taken = (errno, text) == (CUT, TAKEN["text"]) or errno in {DONE, NO_TENANT}
    assert taken is bool(wrong.stricter), "either the kernel refuses it too, or there is a reason to be stricter"


@pytest.mark.parametrize("letter", ["&", "'", '"', "`", "\\", "\n", "\0"])
@pytest.mark.parametrize("part", ["login", "password"])
def test_keys_that_no_store_has(
    add_kernel: Callable[..., str], add_connection: Callable[..., str], between: Relay, part: str, letter: str
) -> None:
    keys_conn = {"conn_type": "generic", "login": "Zq7login", "password": "Zq7password", "host": "h"}
    keys_conn[part] += f"{letter}Zq7"
    task = SetBackupDestinationOperator(
        task_id="task",
        oceanbase_conn_id=add_kernel(port=between.port),
        destination="s3://b/d",
        dest_conn_id=add_connection(keys_conn, "keys"),
    )
    with pytest.raises(ValueError, match=r"destination s3://b/d.* holds ") as caught:
        task.execute(make_context())
    assert "Zq7" not in str(caught.value)
    assert between.connections == 0


@pytest.mark.parametrize(("fields", "says"), CONNECTIONS, ids=[ascii(fields) for fields, _ in CONNECTIONS])
def test_a_wrong_connection_is_refused_before_anything_is_sent(
    add_kernel: Callable[..., str], between: Relay, fields: dict[str, Any], says: tuple[str, ...]
) -> None:
    hook = OceanBaseHook(oceanbase_conn_id=add_kernel(port=between.port, **fields))
    with pytest.raises(ConnectionFieldError) as caught:
        hook.open_session()
    for words in says:
        assert words in str(caught.value)
    assert between.connections == 0
