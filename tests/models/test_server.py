"""The server adapter against a small HTTP server on loopback that can misbehave."""

import base64
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from sgpa_core import Answers
from sgpa_core.models import OpenAIServer, assert_conforms, load_model
from sgpa_core.models.server import on_this_machine, proxy_of

pytest.importorskip("openai", reason="the extra 'server' is not installed")

RATE = 16000
TONE = 0.5 * np.sin(np.arange(RATE) / 9).astype(np.float32)


class Server(ThreadingHTTPServer):
    """Answers with the length and loudness of what it hears, unless its script says otherwise.

    Each entry of ``script`` is used for one request: a status, (status, headers), bytes to send as
    the body, "die" to hang up in the middle of it, or a number of seconds to sleep first.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.times = [], [], []
        self.active = self.most = 0
        self.pause, self.content = 0.0, None
        self.lock = threading.Lock()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1#parrot"

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.requests.append(
                (self.path, request, {k.title(): v for k, v in self.headers.items()})
            )
            server.times.append(time.monotonic())
            server.active += 1
            server.most = max(server.most, server.active)
            step = server.script.pop(0) if server.script else None
        self.counted = True
        try:
            self.answer(request, step)
        finally:
            self.leave()

    def leave(self):
        """No longer in flight: before the client can know, or its next request came too early."""
        with self.server.lock:
            self.server.active -= self.counted
            self.counted = False

    def answer(self, request, step):
        if isinstance(step, float):
            time.sleep(step)
            step = None
        time.sleep(self.server.pause)
        if step == "die":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.wfile.flush()
            self.connection.close()
            return None
        if isinstance(step, bytes):
            return self.send(200, step)
        if step is not None:
            status, headers = step if isinstance(step, tuple) else (step, {})
            body = json.dumps({"error": {"message": f"status {status}, as told"}}).encode()
            return self.send(status, body, headers)
        sound = request["messages"][-1]["content"][0]["input_audio"]
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["data"])))
        text = f" {np.abs(samples).mean():.3f} in {len(samples)} at {rate} "
        if self.server.content is not None:
            text = self.server.content[0]
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": "parrot"}
        return self.send(200, json.dumps(body | {"choices": [choice]}).encode())

    def send(self, status, body, headers=None):
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.leave()
        self.wfile.write(body)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def heard(samples):
    return f"{np.abs(samples).mean():.3f} in {len(samples)} at {RATE}"


def test_a_url_is_a_server(server):
    model = load_model(server.address, batch_size=4)
    assert isinstance(model, OpenAIServer)
    assert model.name.startswith("parrot@") and "parrot" in repr(model)
    assert_conforms(model)


def test_the_request_is_the_documented_one(server):
    model = load_model(server.address, instruction="Repeat it.", max_new_tokens=7, seed=5)
    assert model.respond([TONE], RATE) == [heard(TONE)]
    ((path, request, headers),) = server.requests
    assert path == "/v1/chat/completions"
    sound = request["messages"][1]["content"].pop(0)
    assert sound["type"] == "input_audio" and sound["input_audio"]["format"] == "wav"
    assert request == {
        "model": "parrot",
        "max_tokens": 7,
        "temperature": 0.0,
        "seed": 5,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": [{"type": "text", "text": "Repeat it."}]},
        ],
    }
    assert headers["Authorization"] == "Bearer none"


def test_answers_keep_their_order_and_requests_are_bounded(server):
    server.script = [0.3, 0.0, 0.2, 0.0, 0.1]
    server.pause = 0.02
    batch = [TONE[: 2000 + 100 * i] for i in range(12)]
    model = load_model(server.address, batch_size=3)
    assert model.respond(batch, RATE) == [heard(samples) for samples in batch]
    assert server.most == 3


def test_a_rate_limit_is_waited_for(server):
    server.script = [(429, {"Retry-After": "1"})]
    assert load_model(server.address).respond([TONE], RATE) == [heard(TONE)]
    assert 0.9 < server.times[1] - server.times[0] < 3


def test_a_server_error_is_tried_again(server):
    server.script = [500, 503]
    assert load_model(server.address).respond([TONE], RATE) == [heard(TONE)]
    waits = np.diff(server.times)
    assert len(waits) == 2 and (waits > 0.3).all()


def test_a_server_that_dies_in_the_middle_is_tried_again(server):
    server.script = ["die"]
    assert load_model(server.address).respond([TONE], RATE) == [heard(TONE)]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ([500] * 3, ConnectionError, r"status 500.*status 500, as told.*\(2 tries\)"),
        ([(429, {"Retry-After": "0.01"})] * 3, ConnectionError, r"status 429.*\(2 tries\)"),
        (["die"] * 3, ConnectionError, "cannot be reached, or broke off, 2 times"),
        ([1.0] * 3, TimeoutError, r"did not answer within 0.3 s, 2 times"),
        ([404], ValueError, "refused 'parrot' with status 404.*status 404, as told"),
        ([401], ValueError, "refused 'parrot' with status 401"),
        ([b"{not json"], ConnectionError, "sent no chat completion"),
        ([b'{"choices": []}'], ConnectionError, "sent no chat completion"),
        ([b'{"answer": "Lima"}'], ConnectionError, "sent no chat completion"),
        ([b'"Lima"'], ConnectionError, "sent no chat completion"),
    ],
)
def test_what_does_not_pass_is_said(server, script, error, message):
    server.script = list(script)
    model = load_model(server.address, retries=1, timeout=0.3)
    with pytest.raises(error, match=message):
        model.respond([TONE], RATE)
    assert len(server.requests) == (1 if len(script) == 1 else 2)


def test_a_failure_ends_the_batch_early(server):
    server.script, server.pause = [404], 0.02
    with pytest.raises(ValueError, match="404"):
        load_model(server.address, batch_size=2).respond([TONE] * 40, RATE)
    assert len(server.requests) < 20


@pytest.mark.parametrize("content", [None, "", "  "])
def test_no_content_is_the_empty_answer(server, content):
    server.content = (content,)
    assert load_model(server.address).respond([TONE], RATE) == [""]


def test_nobody_listens():
    model = load_model("http://127.0.0.1:9/v1#parrot", retries=0)
    with pytest.raises(ConnectionError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        model.respond([TONE], RATE)


@pytest.mark.parametrize("address", ["http://localhost/v1", "http://#m", "https://localhost/v1#"])
def test_an_address_names_a_model(address):
    with pytest.raises(ValueError, match=r'"http://localhost:8000/v1#model"'):
        load_model(address)


def test_options_of_other_adapters_are_refused():
    with pytest.raises(ValueError, match="unknown option 'language'; this model takes max_new"):
        load_model("http://localhost/v1#m", language="en")
    with pytest.raises(ValueError, match="the server's business"):
        load_model("http://localhost/v1#m", device="cpu")


def test_the_key_goes_where_it_belongs(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    load_model(server.address).respond([TONE], RATE)
    load_model(server.address, api_key="mine").respond([TONE], RATE)
    assert [h["Authorization"] for _, _, h in server.requests] == ["Bearer none", "Bearer mine"]
    assert load_model("https://api.openai.com/v1#gpt-audio").api_key == "secret"
    model = load_model(server.address, api_key="mine")
    assert "mine" not in model.name + repr(model)
    assert model.name == load_model(server.address).name
    assert model.name != load_model(server.address, seed=1).name


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0"])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9", "odd://x"])
def test_a_server_on_this_machine_needs_no_proxy(server, monkeypatch, host, proxy):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    address = server.address.replace("127.0.0.1", host)
    if host == "127.0.0.2":  # others of its names lead to a server that listens there
        assert on_this_machine(address)
    else:
        assert load_model(address, retries=0).respond([TONE], RATE) == [heard(TONE)]


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://[::1]:8000/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://model.localhost/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://notlocalhost/v1", False),
        ("http://127.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://[2001:db8::1]/v1", False),
    ],
)
def test_names_of_this_machine(url, here):
    assert on_this_machine(url) == here


@pytest.mark.parametrize("proxy", ["socks9://u:secret@127.0.0.1:9", "http://u:secret@127.0.0.1:9"])
def test_a_proxy_that_fails_is_named_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    model = load_model("http://192.0.2.1/v1#parrot", retries=0)
    with pytest.raises((ValueError, ConnectionError)) as fault:
        model.respond([TONE], RATE)
    assert f"the proxy {proxy[: proxy.index(':')]}://127.0.0.1:9 of the" in str(fault.value)
    assert "secret" not in str(fault.value)
    monkeypatch.setenv("no_proxy", "192.0.2.1")
    assert proxy_of(model.url) == ""


def test_a_refusal_in_a_batch_keeps_what_was_answered(server, tmp_path):
    batch = [TONE[: 4000 + 100 * k] for k in range(20)]
    server.script, server.pause = [None] * 9 + [402] * 20, 0.01
    answers = Answers(load_model(server.address, batch_size=3), tmp_path / "a.sqlite")
    with pytest.raises(ValueError, match="402"):
        answers(batch)
    answers.close()
    server.script = []
    again = Answers(load_model(server.address, batch_size=3), tmp_path / "a.sqlite")
    assert again(batch) == [heard(samples) for samples in batch]
    assert again.calls == 20 - 9
