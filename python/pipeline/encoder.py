"""Texts to vectors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from . import _pipeline


class Encoder:
    """A Sentence-BERT encoder, run by the pipeline's own pass.

    ``path`` is a folder in the layout of sentence-transformers, the name of one in the per-user cache, or ``owner/model`` of the hub. ``precision`` is ``"f32"`` (the
    vectors of sentence-transformers, cosine at least 0.9999), ``"bf16"``, or ``"auto"``: what is fast on this processor (cosine at least
    0.999). Several threads may share one.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_seq_length: int | None = None, precision: str = "auto",
                 threads: int | None = None) -> None:
        self.path = os.fspath(path)
        self._arguments = (self.path, max_seq_length, precision, threads)
        self._encoder = _pipeline.Encoder(*self._arguments)

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text that count."""
        return self._encoder.max_tokens

    @property
    def arithmetic(self) -> str:
        """How the vectors are computed on this processor."""
        return self._encoder.arithmetic

    def get_sentence_embedding_dimension(self) -> int:
        """Values of a vector."""
        return self._encoder.dims

    def encode(self, sentences: str | Sequence[str], batch_size: int = 32, show_progress_bar: bool | None = None, *,
               normalize_embeddings: bool = False, convert_to_numpy: bool = True, convert_to_tensor: bool = False) -> Any:
        """The vectors of ``sentences``: float32 of shape ``(len(sentences), dims)``, or ``(dims,)`` for one string.

        As ``SentenceTransformer.encode``; ``batch_size`` is taken and not used, for texts of like length are put together by their tokens.
        ``convert_to_tensor`` needs PyTorch; without ``convert_to_numpy`` a list of vectors comes back.
        """
        import numpy as np

        alone = isinstance(sentences, str)
        texts = [sentences] if alone else list(sentences)
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"sentences[{place}] is {type(text).__name__}, not str")
        told = None
        if show_progress_bar:
            def told(done):
                print(f"\r{done} of {len(texts)} texts", end="\n" if done == len(texts) else "", file=sys.stderr, flush=True)
        values = self._encoder.encode(texts, told)
        vectors = np.frombuffer(values, dtype=np.float32).reshape(len(texts), self._encoder.dims)
        if normalize_embeddings:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(lengths > 0, lengths, 1)
        if convert_to_tensor:
            import torch

            vectors = torch.from_numpy(vectors)
        elif not convert_to_numpy and not alone:
            return list(vectors)
        return vectors[0] if alone else vectors

    def __reduce__(self):
        return _encoder, self._arguments

    def __repr__(self):
        return f"Encoder({self.path!r})"


def _encoder(path, max_seq_length, precision, threads):
    return Encoder(path, max_seq_length=max_seq_length, precision=precision, threads=threads)
