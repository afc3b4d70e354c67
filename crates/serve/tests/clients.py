"""The packages that people have ask a server of examples/fake.rs: openai and huggingface_hub.

    pip install openai huggingface_hub numpy
    cargo build --example fake && python tests/clients.py target/debug/examples/fake
"""

import base64
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import huggingface_hub
import openai

PORT = 18931
BASE = f"http://127.0.0.1:{PORT}"
KEY = "a-key-of-many-letters"


def started(program, *more):
    server = subprocess.Popen([program, f"127.0.0.1:{PORT}", *more], stderr=subprocess.PIPE, text=True)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{BASE}/readyz")
            return server
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit("the server is not ready after 10 s")


def stopped(server):
    server.terminate()
    log = server.stderr.read()
    assert server.wait(20) == 0, f"it ended with {server.returncode}"
    return [json.loads(line) for line in log.splitlines()]


def refused(kind, ask):
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def check_openai():
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0)
    texts = ["one", "two", "drei ä 𝄞", ""]
    floats = client.embeddings.create(model="hash", input=texts, encoding_format="float")
    # Without a format this package asks for base64, and unpacks it.
    packed = client.embeddings.create(model="hash-encoder", input=texts)
    assert [d.index for d in packed.data] == [0, 1, 2, 3]
    for a, b in zip(floats.data, packed.data, strict=True):
        assert len(a.embedding) == 16
        assert struct.pack("<16f", *a.embedding) == struct.pack("<16f", *b.embedding)
        assert abs(sum(v * v for v in a.embedding) - 1) < 1e-5
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0
    assert packed.model == "hash-encoder"
    one = client.embeddings.create(model="hash", input="one")
    assert one.data[0].embedding == packed.data[0].embedding
    # Where it asks for base64 itself, the package takes an empty answer for a fault.
    assert client.embeddings.create(model="hash", input=[], encoding_format="float").data == []
    assert {m.id for m in client.models.list()} == {"hash", "encoder-only", "hash-encoder"}
    error = refused(openai.NotFoundError, lambda: client.embeddings.create(model="nix", input="a"))
    assert error.code == "model_not_found" and "hash" in error.message, error
    error = refused(openai.BadRequestError, lambda: client.embeddings.create(model="hash", input=[[1, 2]]))
    assert error.type == "invalid_request_error" and "input[0]" in error.message, error
    error = refused(openai.InternalServerError, lambda: client.embeddings.create(model="hash", input="PANIC"))
    assert error.code == "model_failed", error
    many = client.embeddings.create(model="hash", input=[f"text {i}" for i in range(2048)])
    assert len(many.data) == 2048


def check_huggingface():
    for base in [BASE, f"{BASE}/embed"]:
        client = huggingface_hub.InferenceClient(base_url=base, api_key=KEY)
        one = client.feature_extraction("one")
        assert one.shape == (1, 16), one.shape
        assert abs((one**2).sum() - 1) < 1e-5
        raw = client.feature_extraction("one", normalize=False, truncate=True)
        assert (raw**2).sum() > 2
        many = client.feature_extraction(["one", "two"])
        assert many.shape == (2, 16) and (many[0] == one[0]).all()
        too_long = lambda: client.feature_extraction("a" * 1000, truncate=False)
        error = refused(huggingface_hub.errors.HfHubHTTPError, too_long)
        assert error.response.status_code == 422, error
        assert "100 tokens" in error.response.text, error.response.text


def check_keys(program):
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write(f"# of the test\n{KEY}\n")
        keys.flush()
        server = started(program, keys.name)
        right = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0)
        wrong = openai.OpenAI(base_url=f"{BASE}/v1", api_key="x" * 20, max_retries=0)
        assert len(right.embeddings.create(model="hash", input="a").data) == 1
        error = refused(openai.AuthenticationError, lambda: wrong.embeddings.create(model="hash", input="a"))
        assert error.code == "invalid_api_key", error
        huggingface_hub.InferenceClient(base_url=BASE, api_key=KEY).feature_extraction("a")
        log = stopped(server)
        assert not any(KEY in json.dumps(line) for line in log)


def main(program):
    server = started(program)
    try:
        check_openai()
        check_huggingface()
        server.send_signal(signal.SIGHUP)
        time.sleep(0.5)
    finally:
        log = stopped(server)
    assert [line for line in log if line["event"] == "panic"], "the panic is in the log"
    replaced = [line["model"] for line in log if line["event"] == "model replaced"]
    assert replaced == ["hash", "encoder-only"], replaced
    assert not any("told to panic" in json.dumps(line) for line in log), "and not what it said"
    check_keys(program)
    print(f"openai {openai.__version__}, huggingface_hub {huggingface_hub.__version__}: all well")


main(sys.argv[1])
