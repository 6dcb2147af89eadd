"""Rows of tables that are spread over machines: the callable by itself, with Dask, and on a cluster of Ray's."""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import IonosSettings
from ionos_openai.batch.ray import GenerateImages
from ionos_openai.errors import ImageSaveError, InvalidRequestError, IonosWarning
from ionos_openai.sandbox import Sandbox
from tests.client.test_budget import PASSWORD, free_port, needs_redis, running_redis
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("obstore", reason="the extra buckets is not installed")
numpy = pytest.importorskip("numpy", reason="numpy is not installed")

TOKEN = "a-token-of-the-rows-0123456789"
NEW = ["path", "sha256", "format", "status", "error", "width", "height", "cost"]


@pytest.fixture
def generate(service: Service, tmp_path: Path) -> Callable[..., GenerateImages]:
    """What asks it for pictures, into one directory."""

    def make(**options: Any) -> GenerateImages:
        given = {"base_url": service.url, "max_retries": 0, **options.pop("client_options", {})}
        return GenerateImages(tmp_path / "out", api_key=TOKEN, client_options=given, **options)

    return make


def arrays(**columns: list[Any]) -> dict[str, Any]:
    """Return a batch as Ray hands it over by default."""
    return {name: numpy.array(values) for name, values in columns.items()}


def as_numpy(columns: dict[str, list[Any]]) -> Any:
    return arrays(**columns)


def as_pandas(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(columns)


def as_arrow(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed").table(columns)


@pytest.mark.parametrize("table_of", [as_numpy, as_pandas, as_arrow])
def test_rows_come_back_in_their_kind_of_table(
    generate: Callable[..., GenerateImages], table_of: Callable[[Any], Any]
) -> None:
    """With the caller's own columns, a row a picture, and where the picture is."""
    batch = table_of({"prompt": ["a fox", "a cat"], "n": [1, 2], "sku": ["4711", "4712"]})
    made = generate(bytes=True)(batch)
    assert type(made) is type(batch)
    rows = {name: [*map(plain, made[name])] for name in ("sku", "status", "width", "cost", "path", "bytes")}
    assert rows["sku"] == ["4711", "4712", "4712"]
    assert (rows["status"], rows["width"], rows["cost"]) == (["done"] * 3, [64] * 3, [0.032] * 3)
    assert sorted(path.rpartition("/")[2] for path in rows["path"]) == ["a-cat-2.jpg", "a-cat.jpg", "a-fox.jpg"]
    assert all(path.startswith("file:///") for path in rows["path"])
    assert all(data.startswith(b"\xff\xd8") for data in rows["bytes"])


def plain(value: Any) -> Any:
    """Return a value of NumPy's or Arrow's as Python's."""
    return value.as_py() if hasattr(value, "as_py") else value.item() if hasattr(value, "item") else value


@pytest.mark.parametrize("table_of", [as_numpy, as_pandas, as_arrow])
def test_no_rows_have_all_columns_and_ask_for_nothing(
    generate: Callable[..., GenerateImages], service: Service, table_of: Callable[[Any], Any]
) -> None:
    """That is how Dask learns what comes; with the types that it will have."""
    empty = table_of({"prompt": ["a fox"]})
    made = generate()(empty[:0] if hasattr(empty, "shape") else {"prompt": empty["prompt"][:0]})
    names = getattr(made, "column_names", None) or [*made]
    assert (names, service.requests) == (["prompt", *NEW], 0)


def test_what_is_stored_is_read_and_not_bought(generate: Callable[..., GenerateImages], service: Service) -> None:
    """By any worker, in any order; rows that ask for the same share their picture unless their names differ."""
    first = generate()(arrays(prompt=["a fox", "a cat", "a fox"]))
    assert service.served == {"a fox": 1, "a cat": 1}
    assert first["path"][0] == first["path"][2]
    again = generate()(arrays(prompt=["a cat", "a hen", "a fox"]))
    assert [*again["status"]] == ["skipped", "done", "skipped"]
    assert (again["path"][2], again["sha256"][2]) == (first["path"][0], first["sha256"][0])
    generate()(arrays(prompt=["a fox", "a fox"], name=["one", "two"]))
    assert service.served == {"a fox": 3, "a cat": 1, "a hen": 1}


def test_a_picture_that_is_gone_is_made_again_where_that_is_wished(
    generate: Callable[..., GenerateImages], service: Service, tmp_path: Path
) -> None:
    """Else the row says so, as in a batch."""
    generate()(arrays(prompt=["a fox"]))
    (tmp_path / "out" / "a-fox.jpg").unlink()
    assert [*generate(bytes=True)(arrays(prompt=["a fox"]))["status"]] == ["missing"]
    assert service.requests == 1
    assert [*generate(missing="remake")(arrays(prompt=["a fox"]))["status"]] == ["done"]
    assert service.requests == 2


def test_a_row_that_fails_is_a_row(generate: Callable[..., GenerateImages], service: Service) -> None:
    """Whether it cannot work, was refused, or came to some of its pictures; the others are made."""
    service.fault = lambda number, prompt: "400" if prompt == "no" else None
    made = generate()(arrays(prompt=["", "no", "a fox"], size=["1024x1024", "1024x1024", ""]))
    assert [*made["status"]] == ["failed", "failed", "done"]
    assert made["error"][0].startswith("The prompt is empty")
    assert [path is None for path in made["path"]] == [True, True, False]
    assert numpy.isnan(made["cost"][:2]).all()
    service.fault = lambda number, prompt: "400" if number > 4 else None
    made = generate(concurrency=1)(arrays(prompt=["a hen"], n=[3]))
    assert [*made["status"]] == ["done", "done", "failed"]


def test_a_refused_token_ends_the_job(generate: Callable[..., GenerateImages], service: Service) -> None:
    """It is no row's fault; the error can be sent to another process."""
    service.fault = lambda number, prompt: "401"
    with pytest.raises(openai.AuthenticationError) as caught:
        generate()(arrays(prompt=["a fox"] * 3))
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), openai.AuthenticationError)


def test_pictures_that_the_directory_does_not_take_are_kept(
    generate: Callable[..., GenerateImages],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In a file that the log names, and not on an error that an engine carries about."""
    from ionos_openai.batch.bucket import BucketStore

    def refuse(*_: object, **__: object) -> None:
        raise ImageSaveError("The storage is gone.")

    monkeypatch.setattr(BucketStore, "save", refuse)
    with pytest.raises(ImageSaveError) as caught:
        generate()(arrays(prompt=["a fox"]))
    assert len(pickle.dumps(caught.value)) < 2000
    assert "Pictures that could not be saved: " in caplog.text
    assert [*Path(os.environ["XDG_STATE_HOME"]).rglob("*.jpg")]


def test_it_travels_without_its_client_and_shows_no_token(generate: Callable[..., GenerateImages]) -> None:
    """Used or not; where the rows are it makes another one."""
    for token in ({}, {"client_options": {"api_key": TOKEN}}):
        images = generate(**token)
        images(arrays(prompt=["a fox"]))
        there = pickle.loads(pickle.dumps(images))
        assert TOKEN not in repr(there) + str(vars(there))
        assert [*there(arrays(prompt=["a fox"]))["status"]] == ["skipped"]


def test_what_cannot_work_is_refused(generate: Callable[..., GenerateImages], service: Service) -> None:
    """At once, or before anything is sent."""
    with pytest.raises(InvalidRequestError, match="has no sizes="):
        generate(sizes="1024x1024")
    with pytest.raises(InvalidRequestError, match="no column prompt, but text"):
        generate()(arrays(text=["a fox"]))
    assert service.requests == 0


def test_a_placeholder_costs_nothing(tmp_path: Path) -> None:
    """Wherever it is asked for."""
    images = GenerateImages(tmp_path, client_options={"sandbox": Sandbox()})
    assert numpy.isnan(images(arrays(prompt=["a fox"]))["cost"]).all()


class Ray:
    """Ray, as far as it says how many hosts there are."""

    nodes = staticmethod(lambda: [{"Alive": True}, {"Alive": True}, {"Alive": False}])
    is_initialized = staticmethod(lambda: True)


def test_hosts_without_one_budget_are_told_before_anything_is_bought(
    generate: Callable[..., GenerateImages], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the limits count."""
    monkeypatch.setitem(sys.modules, "ray", Ray)
    generate(client_options={"pace": False})._open()
    with pytest.warns(IonosWarning, match=r"from 2 hosts.*IONOS_BUDGET_URL"):
        generate(client_options={"pace": True})._open()
    assert service.requests == 0


@needs_redis
def test_hosts_with_one_budget_are_in_order(
    generate: Callable[..., GenerateImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said: where warnings are errors, none comes."""
    monkeypatch.setitem(sys.modules, "ray", Ray)
    with running_redis(port := free_port()):
        settings = IonosSettings(budget_url=f"redis://:{PASSWORD}@127.0.0.1:{port}")
        generate(client_options={"pace": True, "settings": settings})._open()


def test_dask_maps_its_partitions(generate: Callable[..., GenerateImages], service: Service) -> None:
    """Threads share one instance; the empty head of the frame says which columns come."""
    dask = pytest.importorskip("dask.dataframe", reason="dask is not installed")
    frame = as_pandas({"prompt": [f"picture {number}" for number in range(12)], "sku": [*range(12)]})
    images = generate()
    made = dask.from_pandas(frame, npartitions=4).map_partitions(images, meta=images(frame.head(0)))
    assert service.requests == 0
    rows = made.compute(scheduler="threads")
    assert ([*rows["sku"]], {*rows["status"]}, service.requests) == ([*range(12)], {"done"}, 12)
    assert {*made.compute(scheduler="threads")["status"]} == {"skipped"}


# A cluster of Ray's.


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes on this machine, for two workers each; nothing of it is left."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    pytest.importorskip("ray.data", reason="ray's extra data is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("ROWS_OF_THIS_TEST", secrets.token_hex(8))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        nodes.add_node(num_cpus=2)
        ray.init(address=nodes.address, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield SimpleNamespace(data=ray.data, logs=Path(nodes.head_node.get_session_dir_path()) / "logs")
    finally:
        ray.shutdown()
        nodes.shutdown()


def workers() -> Iterator[int]:
    """Yield the processes of this test's cluster that make pictures."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_ours = os.environ["ROWS_OF_THIS_TEST"].encode() in (process / "environ").read_bytes()
            if is_ours and b"GenerateImages" in (process / "cmdline").read_bytes():
                yield int(process.name)


def rows_of(cluster: Any, generate: Callable[..., GenerateImages], number: int, **client_options: Any) -> Any:
    """Return the rows that four workers make."""
    rows = [{"prompt": f"picture {place}", "sku": place} for place in range(number)]
    made_by = generate(client_options=client_options)
    given = {"directory": made_by._directory, "api_key": TOKEN, "client_options": made_by._client_options}
    return cluster.data.from_items(rows, override_num_blocks=number // 8).map_batches(
        GenerateImages, fn_constructor_kwargs=given, compute=cluster.data.ActorPoolStrategy(size=4), batch_size=None
    )


@needs_redis
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_cluster_keeps_to_one_budget(cluster: Any, generate: Callable[..., GenerateImages]) -> None:
    """Four workers against a server that counts: no row is lost, and hardly an answer is 429."""
    with running_redis(port := free_port()), Service(capacity=20, interval=0.05) as service:
        settings = IonosSettings(
            images_per_minute=1200,
            image_burst=20,
            requests_per_second=1000,
            request_burst=1000,
            budget_url=f"redis://:{PASSWORD}@127.0.0.1:{port}",
        )
        made = rows_of(cluster, generate, 160, base_url=service.url, pace=True, settings=settings).take_all()
    assert sorted(row["sku"] for row in made) == [*range(160)]
    assert {row["status"] for row in made} == {"done"}
    assert len(service.served) == len(service.numbers) == 160
    assert service.refused <= 1
    logs = [path.read_bytes() for path in cluster.logs.rglob("*") if path.is_file()]
    assert logs
    assert not any(TOKEN.encode() in log for log in logs)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find the workers")
@pytest.mark.filterwarnings("default")
def test_a_worker_that_is_killed_costs_nothing_twice(
    cluster: Any, generate: Callable[..., GenerateImages], service: Service
) -> None:
    """Three times in the middle: at most what was on its way is bought again."""
    service.delay = 0.05
    flying: list[int] = []

    def kill() -> None:
        for done in (30, 60, 90):
            while len(service.numbers) < done:
                time.sleep(0.01)
            os.kill(next(workers()), signal.SIGKILL)
            flying.append(4)  # of the one worker's, at most

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    made = rows_of(cluster, generate, 160, base_url=service.url).take_all()
    killer.join()
    assert sorted(row["sku"] for row in made) == [*range(160)]
    assert {row["status"] for row in made} <= {"done", "skipped"}
    assert len(service.served) == 160
    assert len(service.numbers) <= 160 + sum(flying)
