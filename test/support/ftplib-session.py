"""Drives a server with Python's ftplib: FTP_TLS with session reuse, CCC, ASCII, MLSD and ABOR. Arguments: port, CA file, version."""
import ftplib
import hashlib
import io
import ssl
import sys

port, trust, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class ReusingFtp(ftplib.FTP_TLS):
    """The subclass people paste from question-and-answer sites: data connections resume the control session."""

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
            assert conn.session_reused, f"{cmd} was not resumed"
        return conn, size


def main():
    context = ssl.create_default_context(cafile=trust)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    ftp = ReusingFtp(context=context, timeout=10)
    ftp.connect("localhost", port)
    ftp.login("alice", "secret")
    ftp.prot_p()

    data = bytes(range(256)) * 5000 + b"end"
    ftp.storbinary("STOR python.bin", io.BytesIO(data))
    assert ftp.size("python.bin") == len(data)
    for _ in range(10):
        back = io.BytesIO()
        ftp.retrbinary("RETR python.bin", back.write)
        assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
    tail = io.BytesIO()
    ftp.retrbinary("RETR python.bin", tail.write, rest=1_000_000)
    assert tail.getvalue() == data[1_000_000:]

    lines = ["one", "", "three with ümlaut", "last without end"]
    ftp.storlines("STOR lines.txt", io.BytesIO("\n".join(lines).encode()))
    received = []
    ftp.retrlines("RETR lines.txt", received.append)
    assert received == lines, received

    ftp.mkd("a folder")
    assert ftp.pwd() == "/"
    facts = dict(ftp.mlsd("/", ["type", "size", "modify"]))
    assert facts["python.bin"]["size"] == str(len(data)), facts
    assert facts["a folder"]["type"] == "dir", facts
    assert "python.bin" in ftp.nlst()
    ftp.rename("a folder", "b folder")
    ftp.rmd("b folder")

    ftp.voidcmd("TYPE I")
    connection = ftp.transfercmd("RETR python.bin")
    connection.recv(1000)
    answer = ftp.abort()
    connection.close()
    if answer.startswith("426"):
        answer = ftp.voidresp()
    assert answer.startswith("226"), answer
    assert ftp.voidcmd("NOOP").startswith("200")

    try:
        ftp.cwd("missing")
    except ftplib.error_perm as error:
        assert str(error).startswith("550"), error
    else:
        raise AssertionError("CWD to a missing folder succeeded")

    ftp.ccc()
    assert ftp.voidcmd("NOOP").startswith("200")
    assert ftp.quit().startswith("221")
    print("all fine")


main()
