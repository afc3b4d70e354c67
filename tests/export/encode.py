#!/usr/bin/env python3
"""What sentence-transformers makes of the texts on standard input (a JSON list) with the folder that is named, as JSON."""

import json
import sys

from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu")
json.dump(model.encode(json.load(sys.stdin), convert_to_numpy=True).tolist(), sys.stdout)
