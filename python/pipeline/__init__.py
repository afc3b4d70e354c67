"""Text classification without PyTorch: encoders, trained models, and training.

    from pipeline import Encoder, Model, TextClassifier

    Encoder("all-MiniLM-L6-v2").encode(["a text", "another"])      # numpy, float32
    Model("data/models/tickets").predict(["My card has not come"])  # labels
    TextClassifier().fit(texts, labels).predict(new_texts)         # trains by the same stages as `pipeline build`

The command `pipeline` is there, too; `python -m pipeline` is the same.
"""

from ._pipeline import __version__
from .encoder import Encoder
from .model import Model

__all__ = ["Encoder", "Model", "TextClassifier", "__version__"]


def __getattr__(name):
    # scikit-learn takes a second to import, and only this needs it.
    if name == "TextClassifier":
        from .classifier import TextClassifier

        return TextClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
