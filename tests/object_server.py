"""A server that speaks the protocol of Amazon's object storage, to test with: moto's, made more alike.

Moto honors the conditions of a write (If-None-Match, If-Match), but looks and stores in two steps; here a
request is answered as a whole before the next one is looked at. A `Server` can also misbehave.
"""

import logging
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import obstore
import pytest
from obstore.store import S3Store

#: The one bucket there is.
BUCKET = "results"

_OTHERS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@dataclass
class Server:
    """A server that runs in this process.

    Attributes
    ----------
    endpoint : str
        Its address, also in the environment of this process and of those that it starts.
    answers_lost : int
        So many further writes are carried out and then answered with an error, as if the answer was lost.
    losing : str
        Only writes of objects whose names have this in them lose their answers.
    ignored : list of str
        Conditions of writes that are not heeded: ``if-match``, ``if-none-match``.
    writes : list of str
        Names of all objects written, in the order in which they were put in place; refused ones not among
        them.
    """

    endpoint: str
    answers_lost: int = 0
    losing: str = ""
    ignored: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    @staticmethod
    def url(name: str) -> str:
        """Give a place on the server."""
        return f"s3://{BUCKET}/{name}"

    def client(self, url: str) -> S3Store:
        """Look at the objects below a place as another program does."""
        prefix = url.removeprefix(f"s3://{BUCKET}/")
        return S3Store(BUCKET, prefix=prefix, endpoint=self.endpoint, client_options={"allow_http": True})

    def objects(self, url: str) -> dict[str, bytes]:
        """Give all objects below a place, by name."""
        store = self.client(url)
        names = sorted(each["path"] for part in obstore.list(store) for each in part)
        return {name: obstore.get(store, name).bytes().to_bytes() for name in names}


@contextmanager
def server() -> Iterator[Server]:
    """Run a server with an empty bucket; while it runs, the environment names it and its credentials."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    lock = threading.RLock()
    put = S3Response.put_object

    def whole(answer):
        def locked(self, *arguments):
            with lock:
                return answer(self, *arguments)

        return locked

    def put_object(self):
        self.headers = {
            name: value for name, value in self.headers.items() if name.lower() not in running.ignored
        }
        answer = put(self)
        running.writes.append(self.parse_key_name())
        if running.answers_lost and running.losing in self.parse_key_name():
            running.answers_lost -= 1
            return 503, {}, "<Error><Code>SlowDown</Code></Error>"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "put_object", whole(put_object))
        for name in ("get_object", "delete_object", "list_objects_v2"):
            patch.setattr(S3Response, name, whole(getattr(S3Response, name)))
        # A line for every request is more than anybody reads.
        patch.setattr(logging.getLogger("werkzeug"), "disabled", True)
        started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        started.start()
        try:
            running = Server("http://{}:{}".format(*started.get_host_and_port()))
            patch.setenv("AWS_ENDPOINT_URL", running.endpoint)
            patch.setenv("AWS_ACCESS_KEY_ID", "testing")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            patch.setenv("AWS_REGION", "us-east-1")
            for name in _OTHERS:
                patch.delenv(name, raising=False)
            made = urllib.request.Request(f"{running.endpoint}/{BUCKET}", method="PUT")
            urllib.request.urlopen(made).close()
            yield running
        finally:
            started.stop()
