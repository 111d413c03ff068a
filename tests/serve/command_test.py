#!/usr/bin/env python3
"""`pystream-coord serve` as a command: where it listens, with TLS, with a token, and how it ends.

command_test.py COORD
"""

import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from browser import Missing, program
from page_test import Coord


def refused(coord, *arguments):
    """What it says."""
    found = subprocess.run([coord.program, "serve", *arguments], env=coord.environment, capture_output=True, text=True, timeout=120)
    assert found.returncode in (1, 2) and found.stdout == "", found
    return found.stderr


def status(address, headers=None, context=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=60, context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Server:
    def __init__(self, coord, *arguments):
        self.process = coord.start("serve", *arguments, stdout=subprocess.PIPE)
        self.line = self.process.stdout.readline().strip()
        self.address, _, self.token = self.line.partition("#token=")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


def listens_where_it_is_safe(coord):
    assert "TLS" in refused(coord, "--listen", "0.0.0.0:0")
    assert "TLS" in refused(coord, "--listen", "[::]:0")
    assert "--host" in refused(coord, "--listen", "0.0.0.0:0", "--behind-proxy")
    assert "need one another" in refused(coord, "--certificate", "x")
    for place in ["8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", ":80", ""]:
        assert "--listen" in refused(coord, "--listen", place), place
    with Server(coord, "--listen", "127.0.0.1:0") as server:
        assert server.token == ""
        assert "Address already in use" in refused(coord, "--listen", server.address.removeprefix("http://").rstrip("/"))
        assert status(server.address) == 200
        assert status(f"{server.address}lib/d3.js") == 200
        assert status(server.address, {"Host": "evil.example"}) == 421
        assert status(server.address, {"Origin": "http://evil.example"}) == 403
    with Server(coord, "--listen", "127.0.0.1:0", "--behind-proxy", "--host", "pipelines.example.org") as server:
        assert server.address == "https://pipelines.example.org/", server.line


def needs_a_token_to_read(coord):
    with Server(coord, "--listen", "127.0.0.1:0", "--need-token") as server:
        assert status(server.address) == 200, "the page holds no data"
        for path in ["metrics", "api/runs", "api/overview", "lib/../metrics"]:
            assert status(f"{server.address}{path}") == 401, path
        assert status(f"{server.address}metrics", {"Authorization": f"Bearer {server.token}"}) == 200
        assert status(f"{server.address}healthz") == 200


def speaks_tls(coord):
    certificate, key = coord.folder / "cert.pem", coord.folder / "key.pem"
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    other = coord.folder / "other.pem"
    subprocess.run([program("openssl"), "ecparam", "-genkey", "-name", "prime256v1", "-out", other], check=True, capture_output=True)
    assert "certificate" in refused(coord, "--certificate", str(certificate), "--key", str(other))
    with Server(coord, "--listen", "localhost:0", "--certificate", str(certificate), "--key", str(key)) as server:
        assert server.address.startswith("https://localhost:"), server.line
        context = ssl.create_default_context(cafile=str(certificate))
        assert status(server.address, context=context) == 200
        assert status(f"{server.address}lib/d3.js", context=context) == 200
        assert status(server.address, {"Origin": server.address.replace("https", "http").rstrip("/")}, context) == 403
        try:
            status(server.address.replace("https", "http"))
        except (OSError, urllib.error.URLError):
            pass
        else:
            raise AssertionError("it answered without TLS")
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            status(server.address, context=context)
        except (OSError, ValueError):
            pass
        else:
            raise AssertionError("it took an old version of TLS")


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        coord = Coord(sys.argv[1], pathlib.Path(name))
        try:
            for step in [listens_where_it_is_safe, needs_a_token_to_read, speaks_tls]:
                print(f"{step.__name__.replace('_', ' ')} …", flush=True)
                step(coord)
        except Missing as missing:
            print(missing)
            return 77
        finally:
            coord.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
