"""Errors: one tree, split by whether trying again can help."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_ob_provider import exceptions
from airflow_ob_provider.exceptions import (
    OceanBaseError,
    OceanBasePermanentError,
    OceanBaseServerError,
    OceanBaseTransientError,
    server_error,
)
from airflow_ob_provider.oceanbase.errors import FACTS, Kind, ServerError

OWN = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if kind.__module__ == exceptions.__name__]


@pytest.mark.parametrize("kind", OWN)
def test_everything_is_of_one_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, OceanBaseError)
    assert issubclass(kind, AirflowException)


@pytest.mark.parametrize(
    ("name", "fails_for_good"),
    [
        ("OceanBaseError", False),
        ("OceanBaseServerError", False),
        ("OceanBaseTransientError", False),
        ("OceanBasePermanentError", True),
        ("ArchiveStateError", True),
        ("RequestRefusedError", True),
        ("TenantsFailedError", False),
        ("TenantsRefusedError", True),
        ("PrerequisitesNotMetError", True),
        ("DataBackupFailedError", False),
        ("ComplianceError", True),
        ("ReportStoreError", False),
        ("NotVerifiedError", False),
        ("WaitReadError", False),
        ("WaitRefusedError", True),
        ("WaitTimeoutError", True),
    ],
)
def test_airflow_retries_what_may_heal(name: str, fails_for_good: bool) -> None:
    assert issubclass(getattr(exceptions, name), AirflowFailException) is fails_for_good


def test_no_class_is_left_out_above() -> None:
    assert len(OWN) == 16


@pytest.mark.parametrize("errno", [*FACTS, 1, 99999])
def test_the_kind_of_a_code_decides_the_class(errno: int) -> None:
    error = server_error(errno, "message", statement="SELECT 1", where="ob (h:1)")
    transient = errno not in FACTS or FACTS[errno].kind is Kind.TRANSIENT
    assert type(error) is (OceanBaseTransientError if transient else OceanBasePermanentError)
    assert error.is_transient is transient
    assert isinstance(error, ServerError)
    text = str(error)
    assert text.startswith(f"[{errno}] message on ob (h:1): {error.fact.meaning}. Statement: SELECT 1. ")
    assert text.endswith(error.fact.hint)


def test_a_hint_of_the_statement_comes_before_that_of_the_code() -> None:
    error = server_error(9026, "backup destination is not valid", hint="Give an empty directory.")
    assert str(error).endswith(": the backup destination is not valid. Give an empty directory.")
    assert "Statement" not in str(error)
    assert " on " not in str(error)


@pytest.mark.parametrize("kind", [OceanBaseServerError, OceanBaseTransientError, OceanBasePermanentError])
def test_errors_of_the_server_can_be_pickled_copied_and_serialized(kind: type[OceanBaseServerError]) -> None:
    error = kind(4012, "Timeout", statement="SELECT 1", where="ob (h:1)", hint="wait")
    name, arguments, options = error.serialize()
    assert name == f"{kind.__module__}.{kind.__name__}"
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), kind(*arguments, **options)):
        assert type(again) is kind
        assert vars(again) == vars(error)
        assert again.args == error.args


@pytest.mark.parametrize("kind", [kind for kind in OWN if not issubclass(kind, OceanBaseServerError)])
def test_the_others_too(kind: type[Exception]) -> None:
    again = pickle.loads(pickle.dumps(kind("what happened")))
    assert type(again) is kind
    assert str(again) == "what happened"
