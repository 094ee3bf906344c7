"""A session of paramiko's SFTP client with a server; prints one line per check, `ok NAME` or the traceback."""
import hashlib
import os
import sys
import traceback

import paramiko

port, work = int(sys.argv[1]), sys.argv[2]
transport = paramiko.Transport(("127.0.0.1", port))
transport.connect(username="alice", password="secret")
sftp = paramiko.SFTPClient.from_transport(transport)


def content(path):
    with sftp.open(path, "rb") as handle:
        return handle.read()


def put_and_get():
    data = os.urandom(3_000_001)
    with open(os.path.join(work, "local"), "wb") as handle:
        handle.write(data)
    assert sftp.put(os.path.join(work, "local"), "remote").st_size == len(data)
    sftp.get("remote", os.path.join(work, "back"))
    with open(os.path.join(work, "back"), "rb") as handle:
        assert handle.read() == data


def prefetch_of_a_thousand_reads():
    with sftp.open("large", "wb") as handle:
        handle.set_pipelined(True)
        block = bytes(range(256)) * 128
        for _ in range(1000):
            handle.write(block)
    with sftp.open("large", "rb") as handle:
        handle.prefetch()
        for _ in range(1000):
            assert handle.read(32768) == block
        assert handle.read(1) == b""


def readv_in_any_order():
    with sftp.open("large", "rb") as handle:
        wanted = [(32768 * 7 + 3, 100), (5, 10), (32768 * 900, 32768)]
        for (offset, size), data in zip(wanted, handle.readv(wanted)):
            assert data == bytes((offset + index) % 256 for index in range(size))


def digest_of_an_open_file():
    with sftp.open("hashed", "wb") as handle:
        handle.write(b"some bytes")
    with sftp.open("hashed", "rb") as handle:
        assert handle.check("sha256") == hashlib.sha256(b"some bytes").digest()


def append_and_seek():
    with sftp.open("appended", "w") as handle:
        handle.write("one")
    with sftp.open("appended", "a") as handle:
        handle.write("two")
    with sftp.open("appended", "r+") as handle:
        handle.seek(1)
        handle.write("NE")
        handle.seek(0)
        assert handle.read() == b"oNEtwo"
    sftp.truncate("appended", 2)
    assert content("appended") == b"oN"


def exclusive_creation():
    sftp.open("exclusive", "wx").close()
    try:
        sftp.open("exclusive", "wx")
    except IOError:
        return
    raise AssertionError("created twice")


def renames():
    for name in ("from", "to"):
        with sftp.open(name, "w") as handle:
            handle.write(name)
    try:
        sftp.rename("from", "to")
        raise AssertionError("RENAME replaced a file")
    except IOError:
        pass
    assert content("to") == b"to"
    sftp.posix_rename("from", "to")
    assert content("to") == b"from"


def links():
    sftp.symlink("to", "soft")
    assert sftp.readlink("soft") == "to"
    assert content("soft") == b"from"
    assert sftp.lstat("soft").st_mode & 0o170000 == 0o120000
    assert sftp.stat("soft").st_size == 4
    sftp.remove("soft")
    assert content("to") == b"from"


def attributes_alone():
    sftp.chmod("to", 0o640)
    assert sftp.stat("to").st_mode & 0o7777 == 0o640
    sftp.utime("to", (1_000_000, 2_000_000))
    stats = sftp.stat("to")
    assert (stats.st_atime, stats.st_mtime) == (1_000_000, 2_000_000)
    sftp.chown("to", stats.st_uid, stats.st_gid)
    with sftp.open("to", "r+") as handle:
        handle.chmod(0o600)
        handle.truncate(2)
        handle.utime((3, 4))
        assert handle.stat().st_mtime == 4
    assert (sftp.stat("to").st_size, sftp.stat("to").st_mode & 0o777) == (2, 0o600)


def folders():
    sftp.mkdir("folder", 0o750)
    sftp.chdir("folder")
    assert sftp.getcwd() == "/folder"
    sftp.mkdir("inner")
    with sftp.open("inner/file", "w") as handle:
        handle.write("x")
    assert sftp.listdir("inner") == ["file"]
    try:
        sftp.rmdir("inner")
        raise AssertionError("removed a folder that was not empty")
    except IOError:
        pass
    sftp.remove("inner/file")
    sftp.rmdir("inner")
    sftp.chdir(None)
    assert sftp.normalize("folder/../folder/.") == "/folder"


def many_names():
    assert len(sftp.listdir("many")) == 10_000
    entries = {entry.filename: entry for entry in sftp.listdir_iter("many", read_aheads=50)}
    assert len(entries) == 10_000 and entries["entry-9999"].st_size == 0


def missing():
    try:
        sftp.stat("nowhere")
    except FileNotFoundError:
        return
    raise AssertionError("there is something")


def names_of_bytes():
    sftp.open("gr\u00fc\u00df.txt", "w").close()
    assert "gr\u00fc\u00df.txt" in sftp.listdir()


for check in (
    put_and_get,
    prefetch_of_a_thousand_reads,
    readv_in_any_order,
    digest_of_an_open_file,
    append_and_seek,
    exclusive_creation,
    renames,
    links,
    attributes_alone,
    folders,
    many_names,
    missing,
    names_of_bytes,
):
    try:
        check()
        print("ok", check.__name__)
    except Exception:
        print("not ok", check.__name__, traceback.format_exc())
transport.close()
