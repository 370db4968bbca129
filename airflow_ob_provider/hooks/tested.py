"""What the Test button of a connection answers: who answers, what the account may do and what it lacks, TLS or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.exceptions import OceanBaseServerError
from airflow_ob_provider.hooks.drivers import tls_in_use
from airflow_ob_provider.hooks.settings import ConnectionSettings, TlsMode
from airflow_ob_provider.oceanbase.dialects import Dialect, findings
from airflow_ob_provider.oceanbase.errors import DENIED
from airflow_ob_provider.oceanbase.models import Identity, Level
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError

if TYPE_CHECKING:
    from airflow_ob_provider.hooks.oceanbase import OceanBaseSession

_ALTER, _SELECT = "ALTER SYSTEM on *.*", "SELECT on oceanbase.*"


def told(session: OceanBaseSession, settings: ConnectionSettings) -> str:
    """One line of sentences. What could not be read is said to be unknown, never to be missing or there.

    :raises OceanBaseServerError: a passing fault; another try may say more.
    """
    version, dialect = session.version, session.dialect
    identity = dialect.identity()
    cluster = identity.cluster or "unknown"
    sentences = [
        f"OceanBase {version}, cluster {cluster} ({identity.cluster_id or 'no id'}), "
        f"tenant {identity.tenant or 'unknown'}, account {identity.account or settings.user}",
        _privileges(dialect, identity),
        _encryption(session, settings),
        dialect.connection_note(identity),
        version.archive_unusable,
    ]
    return redact(". ".join(sentence.rstrip(".") for sentence in sentences if sentence))


def _privileges(dialect: Dialect, identity: Identity) -> str:
    """What log backup needs: SELECT is tried, ALTER SYSTEM is what SHOW GRANTS shows, for trying it would write."""
    found, missing, unknown = [], [], []
    own = dialect.version.numbers[0] >= 4 and identity.tenant not in {"", "sys"}
    alter = findings.privilege_of(identity, administrator=f"root of tenant {identity.tenant}" if own else "root@sys")
    if alter.level is Level.OK:
        found.append(_ALTER)
    elif alter.level is Level.FAIL:
        missing.append(f"{_ALTER} (only reading needs none; {alter.hint})")
    else:
        unknown.append(f"{_ALTER} ({alter.observed})")
    try:
        dialect.archive()
    except OceanBaseServerError as error:
        if error.is_transient:
            raise
        denied = error.errno in DENIED
        hint = f"; {error.hint.rstrip('.')}" if denied else ""
        (missing if denied else unknown).append(f"{_SELECT} (log backup views: [{error.errno}] {error.message}{hint})")
    except UnreadableError as error:
        unknown.append(f"{_SELECT} (log backup views: {error})")
    else:
        found.append(f"{_SELECT} (log backup views were read)")
    parts = [f"Privileges found: {', '.join(found) or 'none'}", f"missing: {', '.join(missing) or 'none'}"]
    if unknown:
        parts.append(f"not known: {', '.join(unknown)}")
    return "; ".join(parts)


def _encryption(session: OceanBaseSession, settings: ConnectionSettings) -> str:
    if settings.tls is TlsMode.DISABLED:
        return "Not encrypted (ssl_mode DISABLED)"
    in_use = tls_in_use(session.connection)
    words = ", ".join([*in_use, f"ssl_mode {settings.tls}"]) if in_use else f"ssl_mode {settings.tls}; cipher not shown"
    checked = {
        TlsMode.REQUIRED: "the certificate is checked" if settings.ssl_ca else "the server is not checked",
        TlsMode.VERIFY_CA: "the certificate is checked",
        TlsMode.VERIFY_IDENTITY: "certificate and host name are checked",
    }[settings.tls]
    return f"Encrypted with TLS ({words}), {checked}"
