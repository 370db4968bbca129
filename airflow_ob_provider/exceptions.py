"""Errors of this package: one tree, split by whether trying again can help.

A sensor's ``soft_fail``, ``never_fail`` and ``silent_fail`` act alike in all modes only on ``AirflowFailException``,
so everything that cannot heal derives from it; what may heal derives from ``AirflowException`` and is retried.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_ob_provider.oceanbase.errors import Kind, ServerError, fact


class OceanBaseError(AirflowException):
    """Base of all errors of this package."""


class OceanBaseServerError(OceanBaseError, ServerError):
    """The server refused a statement, or the connection was lost. Its text carries no secret."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._arguments())

    def serialize(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """How Airflow carries an error from process to process."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__name__}", (), self._arguments()

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("errno", "message", "statement", "where", "hint")}


class OceanBaseTransientError(OceanBaseServerError):
    """Trying again may help, after the state has been read anew. Airflow retries the task."""


class OceanBasePermanentError(OceanBaseServerError, AirflowFailException):
    """Trying again will not help before somebody changes something. Airflow does not retry the task."""


class ArchiveStateError(OceanBaseError, AirflowFailException):
    """Log backup is in a state that does not become the wanted one."""


class RequestRefusedError(OceanBaseError, AirflowFailException):
    """What was asked for cannot be had as things stand; nothing was sent."""


class TenantsFailedError(OceanBaseError):
    """Several tenants failed, and for one of them at least another try may help. Airflow retries the task."""


class TenantsRefusedError(OceanBaseError, AirflowFailException):
    """Several tenants failed, and another try will not help any of them."""


class PrerequisitesNotMetError(OceanBaseError, AirflowFailException):
    """At least one prerequisite of log backup is not met."""


class DataBackupFailedError(OceanBaseError):
    """A data backup has ended without a usable set. Airflow's retry takes another one of what has failed."""


class ComplianceError(OceanBaseError, AirflowFailException):
    """A check has found what its ``fail_on`` names; the report is written. Airflow does not retry the task."""


class ReportStoreError(OceanBaseError):
    """The folder of reports cannot be read or written. Airflow retries the task."""


class NotVerifiedError(OceanBaseError):
    """A change was accepted but could not be read back; nothing is known to be wrong. Airflow retries the task."""


class WaitReadError(OceanBaseError):
    """A wait could not read the state often enough to go on. The archive itself may be fine; Airflow retries."""


class WaitRefusedError(OceanBaseError, AirflowFailException):
    """A wait may not read the state at all (login, privilege, missing view). Airflow does not retry the task."""


class WaitTimeoutError(OceanBaseError, AirflowFailException):
    """An operator's wait ended without an answer."""


def server_error(
    errno: int, message: str, *, statement: str = "", where: str = "", hint: str = ""
) -> OceanBaseServerError:
    """The error of ``errno``'s kind."""
    kind = OceanBaseTransientError if fact(errno).kind in {Kind.TRANSIENT, Kind.UNKNOWN} else OceanBasePermanentError
    return kind(errno, message, statement=statement, where=where, hint=hint)


def _again(kind: type[OceanBaseServerError], arguments: dict[str, Any]) -> OceanBaseServerError:
    return kind(**arguments)
