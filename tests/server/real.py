"""A real model behind `pipeline serve`, asked by the packages that people have, by a browser, and by many clients at once.

    python tests/server/real.py PROGRAM MODEL AGAINST REQUESTS [CHROMIUM]

AGAINST is the program of crates/serve/examples/against.rs; without CHROMIUM the page is left out.
"""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import huggingface_hub
import numpy as np
import openai

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
ENCODER = "all-MiniLM-L6-v2"
# Of nothing that a family does.
STRANGE = "The exchange rate of my card payment at the cash machine is wrong"


def started(program, *more):
    """A server on a free port: its process and its address."""
    server = subprocess.Popen([program, "serve", "--port", "0", *more], stderr=subprocess.PIPE, text=True)
    address = None
    for line in server.stderr:
        event = json.loads(line)
        address = event.get("address", address)
        if event["event"] == "ready":
            return server, address
    raise SystemExit(f"the server ended with {server.wait()}")


def predicted(program, model, texts, fields, folder):
    """What `pipeline predict` says of rows with one text in these fields."""
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(dict.fromkeys(fields, text)) + "\n" for text in texts))
    done = subprocess.run([program, "predict", rows, "--model", model, "--json"], capture_output=True, text=True, check=True)
    return done.stdout


def check_clients(address, references):
    """Both packages give the vectors of sentence-transformers, and a label's model embeds as its encoder does."""
    texts = [item["text"] for item in references]
    expected = np.array([item["embedding"] for item in references])
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0)
    begin = time.perf_counter()
    found = client.embeddings.create(model="plain", input=texts)
    print(f"openai {openai.__version__}: {len(found.data)} vectors of {len(found.data[0].embedding)} values, "
          f"{found.usage.total_tokens} tokens, {1e3 * (time.perf_counter() - begin):.0f} ms")
    vectors = np.array([one.embedding for one in found.data])
    cosine = (vectors * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() > 0.999, cosine.min()
    other = client.embeddings.create(model="labels", input=texts)
    assert all(np.dot(a.embedding, b) > 0.999 for a, b in zip(other.data, vectors, strict=True))
    print(f"    least cosine to sentence-transformers {cosine.min():.5f}; models {[m.id for m in client.models.list()]}")
    try:
        client.embeddings.create(model="text-embedding-3-small", input="x")
        raise AssertionError("an unknown model is answered")
    except openai.NotFoundError as error:
        print(f"    unknown model: {error.message}")
    hub = huggingface_hub.InferenceClient(base_url=f"http://{address}")
    many = hub.feature_extraction(texts)
    assert many.shape == expected.shape and np.abs(many - vectors).max() < 2e-3
    print(f"huggingface_hub {huggingface_hub.__version__}: feature_extraction {many.shape}")


def check_page(address, chromium, field, answers, texts, folder):
    """A person labels one text, and a table: what is shown and downloaded is what `predict` says."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://{address}/")
        page.get_by_label(field, exact=True).fill(texts[0])
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#answer .label")
        shown = page.locator("#answer .label").text_content()
        assert shown == answers[0]["label"], (shown, answers[0])
        table = folder / "table.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([[field], *([text] for text in texts)])
        page.get_by_label("A CSV, TSV or JSON lines file").set_input_files(table)
        page.get_by_role("button", name="Label all rows").click()
        page.wait_for_selector("#download:not([hidden])")
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download with answers").click()
        found = list(csv.DictReader(io.StringIO(pathlib.Path(waiting.value.path()).read_text())))
        assert [row["label"] for row in found] == [answer["label"] for answer in answers]
        for row, answer in zip(found, answers, strict=True):
            assert abs(float(row["probability"]) - answer["probability"]) < 1e-5, (row, answer)
        print(f"the page in chromium {browser.version}: {shown!r} shown, {len(found)} rows of a table labelled as `predict` does")
        browser.close()


def main(program, model, against, requests, chromium=None):
    model = pathlib.Path(model)
    references = json.loads((HERE / "tests/golden/minilm_reference.json").read_text())["items"]
    titles = [row["title"] for path in sorted((HERE / "data/raw").glob("*.csv"))
              for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]
    titles = list(dict.fromkeys(titles))[:3000]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        fields = json.loads((model / "model.json").read_text())["config"]["data"]["text_fields"]
        said = predicted(program, model, [*titles, STRANGE], fields, folder)
        (folder / "expected.jsonl").write_text(said)
        unlike = [json.loads(line)["unlike_training"] for line in said.splitlines()]
        assert unlike[-1] and not all(unlike), "a text of nothing that a family does is unlike the training, and not all are"
        answers = [json.loads(line) for line in predicted(program, model, titles[:200], fields[:1], folder).splitlines()]
        server, address = started(program, "--model", f"labels={model}", "--encoder", f"plain={ENCODER}")
        try:
            check_clients(address, references)
            if chromium:
                check_page(address, chromium, fields[0], answers, titles[:200], folder)
            # The log is read meanwhile, or the server would wait for a full pipe.
            with (folder / "log").open("w") as log:
                reader = subprocess.Popen(["cat"], stdin=server.stderr, stdout=log)
                subprocess.run([against, address, str(server.pid), folder / "expected.jsonl", requests], check=True)
        finally:
            server.terminate()
        assert server.wait(60) == 0, f"the server ended with {server.returncode}"
        reader.wait()
        log = (folder / "log").read_text()
        assert '"panic"' not in log and not any(title in log for title in titles[:50] if len(title) > 12)


main(*sys.argv[1:])
