"""Pictures for the rows of a table that is spread over machines: for Ray Data, Dask and Spark.

    rows.map_batches(GenerateImages, fn_constructor_kwargs={"directory": "s3://bucket/prefix"}, concurrency=4)

Each picture's record stands in the directory under an id that follows from what the row asks for. So a row that is done
again, since its worker died, is found and not bought. Whichever engine calls it, none is imported here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import openai
from pydantic import SecretStr

from ionos_openai.batch.bucket import open_store
from ionos_openai.batch.drive import Batch, rescue_untold
from ionos_openai.batch.plan import Plan, make_plan
from ionos_openai.batch.request import ImageRequest, check, digest, read_row
from ionos_openai.batch.stored import Store
from ionos_openai.client import create_client
from ionos_openai.client.settings import settings_of
from ionos_openai.errors import InvalidRequestError, IonosWarning, keep_partial_results
from ionos_openai.errors.notices import warn_once
from ionos_openai.hub.catalogue import DEFAULT_SIZE
from ionos_openai.hub.credentials import conceal
from ionos_openai.hub.prices import price_of

_LOOKUPS = 16  # records that are asked for at once
_OPTIONS: dict[str, Any] = {"model": None, "size": DEFAULT_SIZE, "aspect_ratio": None, "prices": None}
_OPTIONS |= {"provenance": None, "prompt_in_metadata": None, "sign": None, "timeout": openai.NOT_GIVEN}
_OPTIONS |= {"concurrency": 4, "max_attempts": 3, "missing": "keep", "ignore_damaged": False}
# What is asked of a whole batch, and not of a part of a table.
_WHOLE: dict[str, Any] = {"max_cost": None, "max_images": None, "patience": None}
_WHOLE |= {"verify": False, "redo": (), "only_failed": False}
# The type of each column, by Arrow's name, and what stands in it where there is no picture.
_COLUMNS: dict[str, tuple[str, Any]] = dict.fromkeys(("path", "sha256", "format", "status", "error"), ("string", None))
_COLUMNS |= {"width": ("int64", 0), "height": ("int64", 0), "cost": ("float64", float("nan"))}
_COLUMNS |= {"bytes": ("large_binary", None)}
_MANY_BUDGETS = (
    "Pictures are asked for from {hosts} hosts, and each keeps to the contract's limits by itself: together they meet "
    "429s, which cost time. Set IONOS_BUDGET_URL=redis://... on all of them, and they share one budget."
)


class GenerateImages:
    """Makes the pictures of a batch of rows; Ray calls it with arrow, numpy or pandas batches, Dask with a frame.

    Columns in: `prompt`, and where they are there `model`, `size`, `aspect_ratio`, `n`, `name`, `seed`; the others are
    recorded as metadata. It returns the rows with columns more, in the kind of table that it was given: `path` (the
    picture's URL), `sha256`, `width` and `height` in px (0 without a picture), `format`, `status` ("done"; "skipped"
    where it was made before; "missing" where it is gone since; "failed"), `error`, `cost` (of a picture; NaN where
    that is not known), and with `bytes=True` the encoded `bytes`.

    A row with `n` pictures becomes as many rows. A row that fails is a row. Rows that ask for the same under the same
    `name` share their pictures.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        api_key: str | SecretStr | None = None,
        client_options: Mapping[str, Any] | None = None,
        bytes: bool = False,
        **options: Any,
    ) -> None:
        """Ask for nothing yet: the client is made where the rows are, and never leaves that process.

        Args:
            directory: Where pictures and records go: a bucket's URL, or a directory that all workers see.
            api_key: The token; by default the worker's environment has it.
            client_options: Further arguments of `create_client`, such as `settings`.
            bytes: Whether the encoded pictures are returned too.
            options: Arguments of `generate_batch`: model, size, aspect_ratio, prices, provenance, prompt_in_metadata,
                sign, timeout, concurrency (in one worker), max_attempts, missing, ignore_damaged.

        Raises:
            InvalidRequestError: An option is none of those.
        """
        if unknown := options.keys() - _OPTIONS:
            raise InvalidRequestError(f"GenerateImages has no {min(unknown)}=. It takes {', '.join(_OPTIONS)}.")
        self._directory = directory
        self._client_options = {**(client_options or {}), **({} if api_key is None else {"api_key": api_key})}
        if "api_key" in self._client_options:
            self._client_options["api_key"] = conceal(self._client_options["api_key"])
        self._options = _OPTIONS | options
        self._columns = [name for name in _COLUMNS if bytes or name != "bytes"]
        self.__setstate__({})

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs to know."""
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_opened")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a worker, whose client is its own."""
        vars(self).update(state)
        self._lock = threading.Lock()
        self._opened: tuple[openai.OpenAI, Plan, Store] | None = None

    def __repr__(self) -> str:
        """Return it without its token."""
        return f"GenerateImages({str(self._directory)!r})"

    def __call__(self, batch: Any) -> Any:
        """Make the pictures of a batch of rows.

        Args:
            batch: A pandas frame, a pyarrow table, or a mapping of columns to arrays.

        Returns:
            The same kind of table, with a row a picture.

        Raises:
            InvalidRequestError: It has no column `prompt`.
            openai.AuthenticationError: The token was refused; so for `openai.PermissionDeniedError`.
            ImageSaveError: The directory fails. Pictures that it did not take are in files that the log names.
        """
        rows = _read(batch, self._columns)
        made = self._make(rows) if rows else []  # for Dask, which asks for the columns
        places = [place for place, pictures in enumerate(made) for _ in pictures]
        said = [picture for pictures in made for picture in pictures]
        columns = {name: [picture.get(name, _COLUMNS[name][1]) for picture in said] for name in self._columns}
        return _extend(batch, places, columns)

    def _open(self) -> tuple[openai.OpenAI, Plan, Store]:
        with self._lock:
            if self._opened is None:
                client = create_client(**self._client_options)
                _check_budget(client)
                asked = {name: value for name, value in self._options.items() if name != "timeout"}
                plan = make_plan(client, self._directory, **_WHOLE, **asked)
                self._opened = client, plan, open_store(self._directory, exclusive=False)
            return self._opened

    def _make(self, rows: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
        """Return for each row what to say of each of its pictures; those that are not there are made before."""
        client, plan, store = self._open()
        marked = [_mark(row, plan) for row in rows]
        requests = {mark: request for mark, request in marked if isinstance(request, ImageRequest)}
        with ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="ionos-openai-records") as lookups:
            kept = dict(zip(requests, lookups.map(lambda mark: _kept(mark, store, plan), requests), strict=True))
            left = [request for mark, request in requests.items() if not kept[mark]]
            errors = self._buy(client, plan, store, left) if left else {}
            told = lookups.map(lambda mark: self._tell(mark, kept[mark], errors.get(mark)), requests)
            pictures = dict(zip(requests, told, strict=True))
        return [pictures.get(mark) or [{"status": "failed", "error": str(problem)}] for mark, problem in marked]

    def _buy(self, client: openai.OpenAI, plan: Plan, store: Store, requests: Sequence[ImageRequest]) -> dict[str, str]:
        """Have pictures made; return what went wrong, by the request's id."""
        timeout = self._options["timeout"]
        # Who is told of events sees no bar, in a notebook either.
        batch = Batch(client, iter(requests), plan, timeout=timeout, on_event=lambda _: None, store=store)
        try:
            return {result.id: str(result.error) for result in batch if result.error is not None}
        except BaseException as error:
            rescue_untold(error, batch.directory)
            keep_partial_results(error, ())  # an engine would carry them from machine to machine
            raise

    def _tell(self, mark: str, kept: str, error: str | None) -> list[dict[str, Any]]:
        """Return what to say of each of a request's pictures, and one thing more where not all of them came."""
        _, plan, store = self._open()
        record = store.find(mark)
        price = None if record is None or record.sandbox else price_of(record.model or "", plan.prices)
        told: list[dict[str, Any]] = []
        for file in (record and record.files) or ():
            if file.format:  # and not bytes that nobody could read
                facts = {name: getattr(file, name) for name in ("sha256", "width", "height", "format")}
                facts |= {"path": str(store.path_of(file.name)), "status": kept or "done"}
                facts |= {} if price is None else {"cost": float(price.amount)}
                reads = "bytes" in self._columns and kept != "missing"
                told.append(facts | ({"bytes": store.read(file.name)} if reads else {}))
        if error is not None or not told:
            told.append({"status": "failed", "error": error or "Its record is gone."})
        return told


def _check_budget(client: openai.OpenAI) -> None:
    """Warn where several hosts would each keep to the limits by itself, before anything is bought."""
    ray, settings = sys.modules.get("ray"), settings_of(client)
    is_shared = settings is not None and settings.budget_url is not None
    if ray is None or getattr(client, "ionos_pacing", None) is None or is_shared or not ray.is_initialized():
        return
    hosts = sum(node["Alive"] for node in ray.nodes())
    if hosts > 1:
        warn_once("many-budgets", _MANY_BUDGETS.format(hosts=hosts), IonosWarning)


def _mark(row: Mapping[str, Any], plan: Plan) -> tuple[str, ImageRequest | InvalidRequestError]:
    """Return a row's request with its id, or what is wrong with it."""
    try:
        request = plan.complete(read_row(row))
        check(request)
        return digest(request), request
    except InvalidRequestError as error:
        return "", error


def _kept(mark: str, store: Store, plan: Plan) -> str:
    """Return the status of a request whose pictures are not to be made; "" where they are."""
    record = store.find(mark)
    if record is None or record.status == "failed" or not record.files:
        return ""
    state = store.look_at(record.files, verify=False)
    if state == "missing":
        return "" if plan.missing == "remake" else "missing"
    return "" if state == "damaged" else "skipped"


def _read(batch: Any, own: Sequence[str]) -> list[dict[str, Any]]:
    """Return a table's rows, without columns that an earlier call has added."""
    if hasattr(batch, "to_pylist"):
        rows = batch.to_pylist()
    elif hasattr(batch, "to_dict"):
        rows = batch.to_dict("records")
    else:
        columns = {name: getattr(values, "tolist", lambda values=values: [*values])() for name, values in batch.items()}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if rows and "prompt" not in rows[0]:
        raise InvalidRequestError(f"The rows have no column prompt, but {', '.join(map(str, rows[0]))}.")
    return [{name: value for name, value in row.items() if name not in own} for row in rows]


def _extend(batch: Any, places: Sequence[int], columns: Mapping[str, list[Any]]) -> Any:
    """Return the rows at these places, with columns more."""
    if hasattr(batch, "to_pylist"):
        arrow = import_module("pyarrow")
        table = batch.drop_columns([name for name in columns if name in batch.column_names]).take(
            arrow.array(places, "int64")
        )
        for name, values in columns.items():
            table = table.append_column(name, arrow.array(values, getattr(arrow, _COLUMNS[name][0])()))
        return table
    numpy = import_module("numpy")
    types = {name: "object" if _COLUMNS[name][1] is None else _COLUMNS[name][0] for name in columns}
    arrays = {name: numpy.array(values, types[name]) for name, values in columns.items()}
    if hasattr(batch, "to_dict"):
        return batch.iloc[places].assign(**arrays)
    return {name: numpy.asarray(values)[places] for name, values in batch.items()} | arrays
