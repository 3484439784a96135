"""What object storage answers, or something in its place, is called what it is."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from tests.results.small import write

PAGE = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please sign in</body></html>"
OTHER = "something else answers, such as the page of a network that asks to sign in or of a proxy"
DENIED = "access to the bucket results was denied; check AWS_ACCESS_KEY_ID and what its owner may do there"

#: What is answered to everything, as S3 and portals do, and what must be said of it.
ANSWERS = {
    "an expired token": (400, "ExpiredToken", "the session token has expired; sign in again"),
    "a wrong token": (400, "InvalidToken", "is not accepted; check AWS_SESSION_TOKEN"),
    "an unknown key": (403, "InvalidAccessKeyId", "is not known; check AWS_ACCESS_KEY_ID"),
    "a wrong secret": (403, "SignatureDoesNotMatch", "check AWS_SECRET_ACCESS_KEY"),
    "a wrong clock": (403, "RequestTimeTooSkewed", "the clock of this machine is wrong"),
    "a denied bucket": (403, "AccessDenied", DENIED),
    "an anonymous request": (401, "AccessDenied", DENIED),
    "another region": (301, "PermanentRedirect", "is in another region; check AWS_REGION"),
    "no bucket": (404, "NoSuchBucket", "there is no bucket results"),
    "an overload": (503, "SlowDown", "is out of order or overloaded; try again later"),
    "an outage behind a proxy": (502, PAGE, "is out of order or overloaded; try again later"),
    "a portal's page": (200, PAGE, OTHER),
    "a portal's page elsewhere": (302, PAGE, OTHER),
    "a portal by the book": (511, PAGE, OTHER),
    "a proxy that forbids": (403, PAGE, OTHER),
    "a website": (404, PAGE, OTHER),
    "a word": (200, "ok", OTHER),
}


@contextmanager
def answering(code, text):
    """Serve one answer to every request; a code is one of S3's errors, anything else a page."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            moved = code == 302 and not self.path.startswith("/portal")
            error = text.isalpha() and text != "ok"
            body = f"<?xml version='1.0'?><Error><Code>{text}</Code></Error>" if error else text
            self.send_response(302 if moved else 200 if code == 302 else code)
            if moved:
                self.send_header("location", "/portal")
            self.send_header("content-type", "application/xml" if error else "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("hasty_service")
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_called_what_it_is(name, monkeypatch, tmp_path):
    code, text, said = ANSWERS[name]
    for variable in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{variable}", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    with answering(code, text) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        for use in (status, open_results, lambda place: write(place, 3)):
            with pytest.raises(InputError) as raised:
                use("s3://results/r.zarr")
            assert said in str(raised.value), use
            assert "damaged" not in str(raised.value)
        for words in ("status", "summarize", "export --out tables"):
            done = CliRunner().invoke(commands, [*words.split(), "s3://results/r.zarr"])
            assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
            assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
