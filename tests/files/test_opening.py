"""Files that a stranger may have put there are opened without following, waiting or destroying."""

import contextlib
import os
import socket
import sys

import pytest

from ionos_openai.files.opening import open_own, open_regular, read_regular

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")
WRITING = os.O_RDWR | os.O_CREAT


def put_link(tmp_path, path):
    (tmp_path / "precious").write_bytes(b"precious")
    path.symlink_to(tmp_path / "precious")


def put_dangling_link(tmp_path, path):
    path.symlink_to(tmp_path / "made-through-a-link")


def put_second_name(tmp_path, path):
    (tmp_path / "precious").write_bytes(b"precious")
    path.hardlink_to(tmp_path / "precious")


def put_pipe(tmp_path, path):
    os.mkfifo(path)


def put_directory(tmp_path, path):
    path.mkdir()


def put_device(tmp_path, path):
    path.symlink_to("/dev/zero")


def put_socket(tmp_path, path):
    # Its own path may be no longer than some hundred bytes.
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


HOSTILE = [put_link, put_dangling_link, put_pipe, put_directory, put_device, put_socket]


@pytest.mark.parametrize("put", [*HOSTILE, put_second_name])
def test_what_is_not_a_file_of_its_own_is_not_opened_for_writing(tmp_path, put):
    put(tmp_path, tmp_path / "file")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(OSError):
        os.close(open_own(tmp_path / "file", WRITING))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if (tmp_path / "precious").exists():
        assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("put", HOSTILE)
def test_what_is_not_a_regular_file_is_not_read(tmp_path, put):
    put(tmp_path, tmp_path / "file")
    with pytest.raises(OSError):
        read_regular(tmp_path / "file")


def test_why_a_file_is_refused_is_said(tmp_path):
    put_link(tmp_path, tmp_path / "file")
    with pytest.raises(OSError) as refusal:
        open_own(tmp_path / "file", WRITING)
    assert (refusal.value.strerror, refusal.value.filename) == ("it is a link", str(tmp_path / "file"))


def test_a_file_of_ones_own_is_opened_and_made(tmp_path):
    for _ in range(2):
        handle = open_own(tmp_path / "file", WRITING, 0o600)
        os.write(handle, b"mine")
        os.close(handle)
    assert read_regular(tmp_path / "file") == b"mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_user_is_refused_unless_the_directory_is_theirs_too(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    os.chown(tmp_path / "file", 12345, -1)
    with pytest.raises(OSError, match="another user"):
        open_own(tmp_path / "file", WRITING)
    os.chown(tmp_path, 12345, -1)
    os.close(open_own(tmp_path / "file", WRITING))


def test_a_file_that_is_larger_than_asked_for_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(bytes(11))
    with pytest.raises(OSError, match="more than 10 bytes"):
        open_regular(tmp_path / "file", most=10)
    assert len(read_regular(tmp_path / "file", most=11)) == 11
