"""The arithmetic of the limits, where the levels are kept, and who is next; on clocks that are handed in."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ionos_openai.client.pacing import turns as pacing
from ionos_openai.client.pacing.ledgers import FileLedger, MemoryLedger, RedisLedger, without_password
from ionos_openai.client.pacing.rates import Bucket, ContractLimits, Level, estimate_seconds, give_back, set_back, take
from ionos_openai.client.pacing.turns import Contract, PacedCall, Pacing, contract_name, find_cause, read_retry_after
from ionos_openai.errors import BudgetUnavailableError, ConfigurationError
from ionos_openai.errors.http import http_library
from ionos_openai.files.opening import try_lock
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ionos_openai.client.pacing.ledgers import Ledger

BUCKET = Bucket(name="images", capacity=3, interval=10.0)
IMAGES = ContractLimits().images
PASSWORD = "pass-CANARY"

# The limits.


def test_the_limits_are_the_documented_ones_less_a_margin() -> None:
    """10 images a minute and 5 requests a second; of the bursts of 20 and 10, one and two stay unused."""
    assert ContractLimits().images == Bucket(name="images", capacity=19, interval=6.0)
    assert ContractLimits().requests == Bucket(name="requests", capacity=8, interval=0.2)


def test_a_burst_of_one_has_no_margin() -> None:
    """However small the burst, one may go."""
    limits = ContractLimits(image_burst=1, request_burst=1)
    assert (limits.images.capacity, limits.requests.capacity) == (1, 1)


@pytest.mark.parametrize(("images", "seconds"), [(0, 0), (1, 0), (8, 0), (19, 2.2), (20, 6), (300, 1686)])
def test_an_estimate_is_when_the_last_one_may_go(images: int, seconds: float) -> None:
    """It counts the slower of both buckets, from full ones."""
    assert estimate_seconds(images, ContractLimits()) == pytest.approx(seconds)


def schedule(bucket: Bucket, gaps: list[float]) -> list[float]:
    """Return when each of several calls that come after those gaps may go."""
    level, now, starts = Level(), 1000.0, []
    for gap in gaps:
        now += gap
        level, grant = take(level, bucket, now)
        starts.append(now + grant.delay)
    return starts


@given(st.lists(st.floats(0, 60), max_size=60), st.integers(1, 20))
def test_no_span_of_time_holds_more_than_the_limit(gaps: list[float], capacity: int) -> None:
    """Between any two of them go at most the burst and what comes in meanwhile."""
    starts = schedule(Bucket(name="x", capacity=capacity, interval=6.0), gaps)
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first + 1 <= capacity + (starts[last] - starts[first]) / 6 + 1e-6


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5.99)), max_size=60))
def test_the_margin_forgives_delays_on_the_way(calls: list[tuple[float, float]]) -> None:
    """A server with the documented bucket refuses none of them, however late each arrives within an interval."""
    starts = schedule(IMAGES, [gap for gap, _ in calls])
    level = Level()
    for arrival in sorted(start + late for start, (_, late) in zip(starts, calls, strict=True)):
        level, grant = take(level, Bucket(name="server", capacity=20, interval=6.0), arrival, longest=1e-6)
        assert grant.granted


def test_a_unit_that_would_come_too_late_is_not_taken() -> None:
    """The bucket stays as it was, and the wait is told."""
    level = Level()
    for _ in range(3):
        level, _ = take(level, BUCKET, 0.0)
    after, grant = take(level, BUCKET, 0.0, longest=9.9)
    assert (grant.granted, grant.delay, after.full_at) == (False, 10.0, level.full_at)


def test_what_is_given_back_can_be_taken_again() -> None:
    """One unit back is one unit earlier for the next."""
    level = Level()
    for _ in range(4):
        level, _ = take(level, BUCKET, 0.0)
    assert take(give_back(level, BUCKET, 0.0), BUCKET, 0.0)[1].delay == 10.0


def test_after_a_429_the_next_ones_go_one_by_one() -> None:
    """The first when the service said, the others at the bucket's rate."""
    level, delays = set_back(Level(), BUCKET, 0.0, 25.0), []
    for _ in range(3):
        level, grant = take(level, BUCKET, 0.0)
        delays.append(grant.delay)
    assert delays == [25.0, 35.0, 45.0]


def test_several_429s_do_not_add_up() -> None:
    """Eight requests that are refused at once set the bucket back as one does."""
    once = set_back(Level(), BUCKET, 0.0, 25.0)
    again = once
    for _ in range(7):
        again = set_back(again, BUCKET, 0.0, 25.0)
    assert again == once


def test_a_unit_that_was_taken_before_a_429_is_void_while_it_lasts() -> None:
    """Whoever waited for it waits on; once the time is over, units hold again."""
    level = set_back(Level(), BUCKET, 100.0, 25.0)
    assert take(level, BUCKET, 110.0, held=True)[1].delay == 15.0
    assert take(level, BUCKET, 125.0, held=True)[1].delay == 0.0


def test_a_clock_that_was_put_back_costs_nothing() -> None:
    """What lay 30 s ahead lies 30 s ahead, not a year."""
    year = 365 * 86_400.0
    level = Level()
    for _ in range(3):
        level, _ = take(level, BUCKET, year)
    assert take(level, BUCKET, 0.0)[1].delay == 10.0


# Ledgers on this host.


def test_two_ledgers_of_one_file_share_the_bucket(tmp_path: Path) -> None:
    """What one takes, the other does not have; each bucket for itself."""
    one, other = (FileLedger(tmp_path / "new" / "state.json", clock=lambda: 5.0) for _ in range(2))
    assert [ledger.take(BUCKET).delay for ledger in (one, other, one, other)] == [0, 0, 0, 10]
    assert one.take(ContractLimits().requests).delay == 0
    one.give_back(BUCKET)
    other.set_back(BUCKET, 60)
    assert one.take(BUCKET).delay == 60


def test_threads_lose_no_unit(tmp_path: Path) -> None:
    """Each of several ledgers at work at once is counted."""
    path = tmp_path / "state.json"

    def work() -> None:
        ledger = FileLedger(path, clock=lambda: 0.0)
        for _ in range(50):
            ledger.take(BUCKET)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(path.read_text())["images"]["full_at"] == 200 * BUCKET.interval


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_the_file_is_the_users_alone(tmp_path: Path) -> None:
    """Neither the file nor its folder is for others."""
    FileLedger(tmp_path / "new" / "state.json").take(BUCKET)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "new", tmp_path / "new" / "state.json")] == [
        0o700,
        0o600,
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other owners")
@pytest.mark.parametrize("trap", ["link", "pipe", "hard link", "directory"])
def test_what_stands_in_the_files_place_is_left_alone(
    trap: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link, a pipe: nothing is written through it nor waited for, and this process keeps its own levels."""
    path, victim = tmp_path / "state" / "contract-1.json", tmp_path / "victim"
    path.parent.mkdir()
    victim.write_text("ssh-ed25519 AAAA" * 50)
    if trap == "link":
        path.symlink_to(victim)
    elif trap == "hard link":
        path.hardlink_to(victim)
    elif trap == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    ledger = FileLedger(path, clock=lambda: 0.0)
    assert [ledger.take(BUCKET).delay for _ in range(4)] == [0, 0, 0, 10]
    assert victim.read_text() == "ssh-ed25519 AAAA" * 50
    assert f"{path} cannot be shared" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("trap", ["a link to it", "a link on the way", "a link to nothing", "their own"])
def test_a_directory_of_somebody_else_is_not_used(trap: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where it can be foretold, as below /tmp, another user may have made it, or a link that leads into mine."""
    mine, state = tmp_path / "mine", tmp_path / "state"
    mine.mkdir()
    if trap == "their own":
        state.mkdir()
    else:
        state.symlink_to(tmp_path / "nothing" if trap == "a link to nothing" else mine)
    os.chown(state, 12345, -1, follow_symlinks=False)
    path = (state / "ionos-openai" if trap == "a link on the way" else state) / "contract-1.json"
    assert FileLedger(path).take(BUCKET).granted
    assert "another user" in caplog.text
    assert [*mine.iterdir()] == []
    assert not (tmp_path / "nothing").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other links")
def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    """As those do who keep their state on another drive."""
    (tmp_path / "drive").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "drive")
    FileLedger(tmp_path / "state" / "new" / "contract-1.json").take(BUCKET)
    assert (tmp_path / "drive" / "new" / "contract-1.json").is_file()


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\x00", b"[]", b'{"images": 3}', b'{"images": {"full_at": "x"}}'])
def test_a_damaged_file_counts_as_full_buckets(tmp_path: Path, text: bytes) -> None:
    """It is used, and mended."""
    path = tmp_path / "state.json"
    path.write_bytes(text)
    assert [FileLedger(path, clock=lambda: 1.0).take(BUCKET).delay for _ in range(4)] == [0, 0, 0, 10]


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    """The operating system releases it."""
    path = tmp_path / "state.json"
    code = (
        "import os, sys, time; from ionos_openai.client.pacing import ledgers; from pathlib import Path;"
        "file = ledgers.FileLedger(Path(sys.argv[1]))._open(); ledgers._lock(file); print('held', flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
    begin = time.monotonic()
    assert FileLedger(path).take(BUCKET).granted
    assert time.monotonic() - begin < 1


WITHOUT_THE_OTHERS = (
    "{path} cannot be shared ({why}): this process keeps within the contract's limits without the others of this host. "
    "Make it writable, set IONOS_BUDGET_URL, or IONOS_PACE=off."
)


def test_a_folder_that_cannot_be_made_leaves_this_process_its_own_buckets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Units are counted here, after one warning."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.json"
    ledger = FileLedger(path)
    assert [ledger.take(BUCKET).delay > 0 for _ in range(4)] == [False, False, False, True]
    ledger.give_back(BUCKET)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == WITHOUT_THE_OTHERS.format(path=path, why=os.strerror(errno.ENOTDIR))


def test_threads_that_fail_at_the_file_together_share_one_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No more go at once than the burst, and there is one warning."""
    ledger, together = FileLedger(tmp_path / "state.json", clock=lambda: 0.0), threading.Barrier(8)

    def refuse() -> int:
        together.wait(10)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(ledger, "_open", refuse)
    with ThreadPoolExecutor(8) as pool:
        grants = list(pool.map(lambda _: ledger.take(BUCKET), range(8)))
    assert sorted(grant.delay for grant in grants) == [0, 0, 0, 10, 20, 30, 40, 50]
    assert len(caplog.records) == 1


def test_a_file_that_could_not_be_used_is_tried_again_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was spent meanwhile is written into it, unless others spent more."""
    now = 100.0
    ledger, other = (FileLedger(tmp_path / "state.json", clock=lambda: now) for _ in range(2))
    bucket = Bucket(name="images", capacity=3, interval=100.0)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_open", mock.Mock(side_effect=OSError(errno.EMFILE, "too many open files")))
        assert [ledger.take(bucket).delay for _ in range(3)] == [0, 0, 0]
    now += 59
    assert ledger.take(bucket).delay == 41
    assert not (tmp_path / "state.json").exists()
    now += 1
    assert ledger.take(bucket).delay == 140
    assert other.take(bucket).delay == 240
    assert ledger.take(bucket).delay == 340


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_leaves_this_process_its_own_buckets(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some mounted drives are so."""

    def refuse(file: int) -> bool:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("ionos_openai.client.pacing.ledgers.try_lock", refuse)
    assert FileLedger(tmp_path / "state.json").take(BUCKET).granted
    assert [one.getMessage() for one in caplog.records] == [
        WITHOUT_THE_OTHERS.format(path=tmp_path / "state.json", why=os.strerror(code))
    ]


def test_a_stopped_process_that_holds_the_lock_stops_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After some seconds this process goes on alone."""
    from ionos_openai.client.pacing import ledgers

    monkeypatch.setattr(ledgers, "_LOCK_PATIENCE", 0.02)
    ledger = FileLedger(tmp_path / "state.json")
    file = ledger._open()
    ledgers._lock(file)
    assert ledger.take(BUCKET).granted
    os.close(file)
    assert "(another process holds its lock)" in caplog.text


async def test_an_event_loop_does_not_wait_for_the_files_lock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While another process holds it, other tasks go on: here the one that releases it."""
    ledger = FileLedger(tmp_path / "state.json")
    file = ledger._open()
    assert try_lock(file)
    assert ledger.is_slow()
    turn = asyncio.create_task(PacedCall(Contract(ContractLimits(), ledger), images=True).await_turn())
    for _ in range(10):
        await asyncio.sleep(0)
    os.close(file)
    await turn
    assert not ledger.is_slow()
    assert caplog.text == ""


# Contracts.


def test_tokens_of_one_contract_share_a_name() -> None:
    """It is the contract's number; nothing of the token is in it."""
    assert contract_name(make_token()) == contract_name(make_token(days=1)) == "contract-31000000"


@pytest.mark.parametrize("token", ["opaque", "", make_token(identity={"contractNumber": "../../etc"})])
def test_a_token_without_a_number_goes_by_its_digest(token: str) -> None:
    """Neither the token nor a path that somebody wrote into it is in the name."""
    name = contract_name(token)
    assert name.startswith("token-")
    assert len(name) == 38
    assert not (token and token in name)


def test_clients_of_one_contract_share_a_budget() -> None:
    """Whatever their `max_wait`; other contracts and other limits have another."""
    budget = Pacing().contract("one")
    assert Pacing(max_wait=5).contract("one") is budget
    assert Pacing().contract("other") is not budget
    assert Pacing(limits=ContractLimits(image_burst=5)).contract("one") is not budget


def test_after_a_fork_the_parents_budgets_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that forks again and again keeps its own alone."""
    budgets = [Pacing().contract("one")]
    for pid in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        budgets.append(Pacing().contract("one"))
    assert len(set(budgets)) == 3
    assert list(pacing._contracts.values()) == budgets[2:]


def test_after_a_reset_contracts_and_their_files_are_new(tmp_path: Path) -> None:
    """As in a process that begins, with its levels where it was told."""
    before = Pacing().contract("one")
    pacing.reset(state_directory=tmp_path)
    after = Pacing().contract("one")
    assert after is not before
    assert isinstance(after.ledger, FileLedger)
    assert after.ledger.path.parent == tmp_path


# What a 429 says.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:01:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 90.0),
        ({"Retry-After": "Sun, 22 Nov 2020 10:01:30 GMT"}, 0.0),
        ({"Retry-After": "Sun, 99 Nov 2026 10:01:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """As seconds or as a date, the latter by the answer's own clock; nonsense counts as absent."""
    assert read_retry_after(http_library().Response(429, headers=headers)) == seconds


@pytest.mark.parametrize(
    ("retry_after", "images", "turn", "expected"),
    [
        (4.0, True, 0, ("images", 4.0)),
        (1.0, True, 0, ("requests", 1.0)),
        (0.0, True, 0, ("requests", 0.2)),
        (90.0, False, 0, ("requests", 90.0)),
        (1e9, True, 0, ("images", 86_400.0)),
        (None, True, 0, ("images", 6.0)),
        (None, True, 2, ("images", 24.0)),
        (None, True, 99, ("images", 60.0)),
        (None, False, 0, ("requests", 1.0)),
    ],
)
def test_the_wait_tells_which_bucket_is_empty(
    retry_after: float | None, images: bool, turn: int, expected: tuple[str, float]
) -> None:
    """A second or less is the requests' one; a 429 that says nothing doubles the wait each time."""
    bucket, seconds = find_cause(retry_after, ContractLimits(), images=images, turn=turn)
    assert (bucket.name, seconds) == expected


# Redis.


@contextlib.contextmanager
def running_redis(port: int) -> Iterator[None]:
    """Run a Redis on a port of this machine that keeps nothing on disk."""
    command = ["redis-server", "--save", "", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that runs for the tests of this module."""
    port = free_port()
    with running_redis(port):
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "held", "limited", "give_back", "set_back"]), st.floats(-20, 40), st.floats(0, 100)
    ),
    max_size=25,
)


@needs_redis
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_redis_calculates_as_this_process_does(redis_url: str, operations: list[tuple[str, float, float]]) -> None:
    """The same calls at the same times, also on a clock that is put back, get the same answers from both."""
    now = 1_795_000_000.123456
    memory: Ledger = MemoryLedger(clock=lambda: now)
    shared: Ledger = RedisLedger(redis_url, os.urandom(8).hex(), clock=lambda: now)
    for operation, gap, number in operations:
        now += gap
        answers = []
        for ledger in (memory, shared):
            if operation == "give_back":
                ledger.give_back(BUCKET)
            elif operation == "set_back":
                ledger.set_back(BUCKET, number)
            else:
                limit = number if operation == "limited" else float("inf")
                answers.append(ledger.take(BUCKET, held=operation == "held", longest=limit))
        if answers:
            assert answers[0].granted == answers[1].granted
            assert (answers[0].delay, answers[0].backlog) == pytest.approx((answers[1].delay, answers[1].backlog))


@needs_redis
def test_hosts_share_a_bucket_through_redis(redis_url: str) -> None:
    """On its own clock, which goes on."""
    ledgers = [RedisLedger(redis_url, "shared") for _ in range(2)]
    delays = [ledgers[turn % 2].take(BUCKET).delay for turn in range(5)]
    assert delays == pytest.approx([0, 0, 0, 10, 20], abs=0.5)


REDIS_GONE = (
    "Redis at redis://127.0.0.1:{port}/0 keeps the contract's limits and cannot be asked ({why}): start it, mend "
    "IONOS_BUDGET_URL, or unset it."
)


def test_a_redis_that_is_not_there_is_an_error_without_its_password() -> None:
    """At once, with the URL and the remedy."""
    pytest.importorskip("redis")
    port = free_port()
    with pytest.raises(BudgetUnavailableError) as caught:
        RedisLedger(f"redis://user:{PASSWORD}@127.0.0.1:{port}/0", "x")
    assert str(caught.value) == REDIS_GONE.format(port=port, why="ConnectionError")
    assert PASSWORD not in repr(caught.value.__context__)


@needs_redis
def test_a_wrong_password_is_an_error_without_it(redis_url: str) -> None:
    """The class of Redis' own error says what it is."""
    port = redis_url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(BudgetUnavailableError) as caught:
        RedisLedger(redis_url.replace(PASSWORD, "wrong"), "x")
    assert str(caught.value) == REDIS_GONE.format(port=port, why="AuthenticationError")


@needs_redis
def test_a_redis_that_comes_back_is_used_again() -> None:
    """The ledger connects anew; while it is gone, nothing is granted, and not each of many tries as long again."""
    port, now = free_port(), [0.0]
    with running_redis(port):
        ledger = RedisLedger(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", "x", reconnects=1, now=lambda: now[0])
        ledger.take(BUCKET)
    with pytest.raises(BudgetUnavailableError, match="ConnectionError"):
        ledger.take(BUCKET)
    with running_redis(port):
        now[0] = 1.9
        with pytest.raises(BudgetUnavailableError, match="cannot be asked: start it"):
            ledger.take(BUCKET)
        now[0] = 2.0
        assert ledger.take(BUCKET).granted


@pytest.mark.parametrize("url", ["http://host", "nonsense", "redis://host:port"])
def test_a_url_that_is_none_of_redis_is_an_error(url: str) -> None:
    """It says how one looks."""
    pytest.importorskip("redis")
    with pytest.raises(ConfigurationError, match="is not a URL of Redis: write redis://HOST:PORT/0"):
        RedisLedger(url, "x")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a setting that needs it, so the setting is named too."""
    monkeypatch.setitem(sys.modules, "redis", None)
    message = r"^IONOS_BUDGET_URL needs the package redis: pip install redis$"
    with pytest.raises(ConfigurationError, match=message):
        RedisLedger("redis://host", "x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://user:{PASSWORD}@host:6379/0", "redis://host:6379/0"),
        (f"rediss://:{PASSWORD}@[::1]:1/2?password={PASSWORD}", "rediss://[::1]:1/2"),
        (f"redis://{PASSWORD}@host:bad", "(not a URL)"),
        (f"unix://user:{PASSWORD}@/run/redis.sock?db=0", "unix:///run/redis.sock"),
        (f"redis://host/{PASSWORD}", "redis://host"),
        *(
            (url, "(not a URL)")
            for url in (
                f"redis://:99/{PASSWORD}@host:1/0",
                f"redis://user:12/{PASSWORD}@host:1/0",
                f"redis://user:1?{PASSWORD}@host:1/0",
                f"redis://user:1#{PASSWORD}@host:1/0",
                f"redis://user:{PASSWORD}@@host:1/0",
                f"user:{PASSWORD}@host:1/0",
                f":{PASSWORD}@host",
                f"unix://:1/{PASSWORD}@/run/redis.sock",
                f"http://{PASSWORD}/0",
            )
        ),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    """Neither user nor password nor query, and nothing at all where a password makes parts look like others."""
    assert without_password(url) == shown


def test_the_levels_in_memory_are_this_ledgers_own() -> None:
    """Two ledgers share nothing."""
    one, other = (MemoryLedger(clock=lambda: 0.0) for _ in range(2))
    assert [one.take(BUCKET).delay for _ in range(4)] == [0, 0, 0, 10]
    assert other.take(BUCKET).delay == 0
