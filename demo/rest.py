"""Airflow's REST API, as far as ``make ui`` and the tests need it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from airflow_ob_provider.sandbox import Sandbox
from demo.processes import wait_until

RUN_SECONDS = 240.0
"""Longer than any run here takes; only something that hangs takes it all."""


class RestError(RuntimeError):
    """Airflow has answered something else than was asked for."""


class Rest:
    """An administrator at the API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=90)
        token = self._client.get("/auth/token").raise_for_status().json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Ask nothing more."""
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Read something."""
        return self._answer(self._client.get(f"/api/v2/{path}", params=parameters))

    def page(self, path: str) -> str:
        """A page of HTML."""
        response = self._client.get(path)
        if not response.is_success:
            raise RestError(f"{path}: {response.text}")
        return response.text

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something."""
        return self._answer(self._client.patch(f"/api/v2/{path}", json=body))

    def _make(self, path: str, body: Mapping[str, Any]) -> None:
        """Make something that has a name of its own, however often Airflow has to be asked.

        While its parts start on a machine that is busy, SQLite may be locked for longer than they wait.
        """

        def made() -> bool:
            response = self._client.post(f"/api/v2/{path}", json=body)
            if not response.is_success and response.status_code not in {409, 500}:
                raise RestError(f"{path}: {response.text}")
            return response.is_success or response.status_code == 409

        wait_until(made, f"Airflow has made {path}", RUN_SECONDS, 1)

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if not response.is_success:
            raise RestError(f"{response.request.method} {response.request.url}: {response.text}")
        return response.json()

    def add_connection(self, conn_id: str, box: Sandbox | Mapping[str, Any], **extra: Any) -> str:
        """Make a simulated cluster, or a whole connection, known to Airflow."""
        fields = box.connection() if isinstance(box, Sandbox) else dict(box)
        body = {**fields, "connection_id": conn_id, "extra": json.dumps({**(fields.get("extra") or {}), **extra})}
        self._make("connections", body)
        return conn_id

    def wait_for_dags(self, names: Iterable[str]) -> None:
        """Wait until Airflow knows these DAGs."""
        wanted = set(names)

        def known() -> bool:
            errors = self.get("importErrors")["import_errors"]
            if errors:
                raise RestError(f"DAGs do not load: {errors}")
            return wanted <= {dag["dag_id"] for dag in self.get("dags", limit=100)["dags"]}

        wait_until(known, f"Airflow knows {wanted}", RUN_SECONDS)

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Start a run with these Params."""
        run_id = f"{dag_id}-{secrets.token_hex(4)}"
        self._make(f"dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf})
        return Run(self, dag_id, run_id)

    def scheduled(self, dag_id: str) -> Run:
        """The first run that the scheduler has begun by itself."""
        runs = wait_until(
            lambda: self.get(f"dags/{dag_id}/dagRuns", run_type="scheduled")["dag_runs"], f"{dag_id} is scheduled", 120
        )
        return Run(self, dag_id, runs[0]["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """What a person does with the switch of a DAG."""
        self.patch(f"dags/{dag_id}", {"is_paused": False})

    def started_by_assets(self, dag_id: str) -> list[Run]:
        """The runs that assets have started, in their order."""
        runs = self.get(f"dags/{dag_id}/dagRuns", run_type="asset_triggered", order_by="id")["dag_runs"]
        return [Run(self, dag_id, run["dag_run_id"]) for run in runs]

    def pool(self) -> dict[str, int]:
        """Slots of the default pool."""
        return dict(self.get("pools/default_pool"))


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    rest: Rest
    dag_id: str
    run_id: str

    @property
    def _path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}"

    @property
    def state(self) -> str:
        """State of the run."""
        return str(self.rest.get(self._path)["state"])

    def tasks(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Its task instances, in order of map index."""
        found = self.rest.get(f"{self._path}/taskInstances", limit=1000)["task_instances"]
        wanted = [ti for ti in found if task_id in (None, ti["task_id"])]
        return sorted(wanted, key=lambda ti: (ti["task_id"], ti["map_index"]))

    def states(self) -> dict[str, str | None]:
        """State by task; of mapped ones the number stands behind the name."""
        return {_name(ti): ti["state"] for ti in self.tasks()}

    def story(self) -> str:
        """How each attempt of each task has ended, by the end of its log: why something came out otherwise."""
        return "\n".join(
            f"{_name(ti)} {ti['state']}, attempt {attempt} of {ti['try_number']}: "
            + " | ".join(self.log(ti["task_id"], attempt, ti["map_index"]).splitlines()[-3:])
            for ti in self.tasks()
            for attempt in range(1, ti["try_number"] + 1)
        )

    def wait(self, seconds: float = RUN_SECONDS) -> str:
        """Wait for its end; how it ended."""
        return wait_until(
            lambda: state if (state := self.state) in {"success", "failed"} else None,
            lambda: f"{self.dag_id} ends; now {self.states()}",
            seconds,
            0.5,
        )

    def wait_for_tasks(self, state: str, *task_ids: str, seconds: float = RUN_SECONDS) -> None:
        """Wait until all of these tasks are in a state."""

        def there() -> bool:
            found = [ti for ti in self.tasks() if ti["task_id"] in task_ids]
            states = {ti["state"] for ti in found}
            if state != "failed" and "failed" in states:
                raise RestError(f"{self.dag_id}: {self.states()}")
            return {ti["task_id"] for ti in found} == set(task_ids) and states == {state}

        wait_until(there, lambda: f"{task_ids} are {state}; now {self.states()}", seconds, 0.5)

    def result(self, task_id: str, map_index: int = -1, key: str = "return_value") -> Any:
        """What a task has left in XCom."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.rest.get(path, map_index=map_index, deserialize="true")["value"]

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """The links of a task, by what the user interface calls them."""
        path = f"{self._path}/taskInstances/{task_id}/links"
        return dict(self.rest.get(path, map_index=map_index)["extra_links"])

    def rendered(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Its fields, as the user interface shows them."""
        return dict(self.rest.get(f"{self._path}/taskInstances/{task_id}/{map_index}")["rendered_fields"])

    def asset_events(self) -> dict[str, dict[str, Any]]:
        """What it has told of assets: extra by URI."""
        events = self.rest.get("assets/events", source_run_id=self.run_id)["asset_events"]
        return {event["uri"]: event["extra"] for event in events}

    def mark(self, task_id: str, state: str) -> None:
        """What a person does with the button "mark as"."""
        self.rest.patch(f"{self._path}/taskInstances/{task_id}", {"new_state": state})

    def answer(self, task_id: str, option: str) -> None:
        """What a person does with the buttons of an approval."""
        self.rest.patch(f"{self._path}/taskInstances/{task_id}/-1/hitlDetails", {"chosen_options": [option]})

    def log(self, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """The events and errors in the log of an attempt, as the user interface shows them."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{attempt}"
        lines = self.rest.get(path, map_index=map_index, full_content="true")["content"]
        shown = []
        for line in lines:
            shown.append(str(line["event"]))
            shown += [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or ()]
        return "\n".join(shown)


def _name(ti: Mapping[str, Any]) -> str:
    """The task, of a mapped one with the number."""
    return str(ti["task_id"]) + (f"[{ti['map_index']}]" if ti["map_index"] >= 0 else "")
