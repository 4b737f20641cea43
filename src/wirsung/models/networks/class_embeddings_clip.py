"""Class embeddings by the text encoder of an installed CLIP: a file that plans can take their codes from.

CLIP is no part of any extra: `pip install open_clip_torch` or `pip install transformers`. Both load OpenAI's
ViT-B/32, whose weights they fetch once; on a machine without a network they must already be in their cache.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from wirsung.anatomy.structures import structures
from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models.networks.class_embeddings import ClassEmbeddings, write_class_embeddings

TextEncoder = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
"""Texts to one row each."""

_OPEN_CLIP_MODEL = ("ViT-B-32-quickgelu", "openai")
_TRANSFORMERS_MODEL = "openai/clip-vit-base-patch32"


@dataclass(frozen=True)
class EmbedSettings:
    """Write class embeddings with an installed CLIP text encoder."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """File to write, .safetensors."""
    names: tuple[str, ...] = ()
    """Classes; none: background and the 28 structures."""
    template: str = "A computerized tomography of a {}"
    """The sentence that is embedded, the class's name in place of {}; the paper's best."""
    encoder: Literal["auto", "open-clip", "transformers"] = "auto"
    """Which package's CLIP; auto takes the one that is installed."""


@dataclass(frozen=True)
class Embedded:
    """What was written."""

    out: Path
    found: ClassEmbeddings

    @property
    def lines(self) -> list[str]:
        """For people."""
        count = len(self.found.vectors)
        return [f"{self.out}: {count} classes, {self.found.width} numbers each, by {self.found.origin!r}"]


def embed_classes(settings: EmbedSettings) -> Embedded:
    """Embed the classes and write the file.

    Raises:
        ConfigError: The template has no place for the name, or OUT is no .safetensors.
        MissingDependencyError: No CLIP is installed.
    """
    names = settings.names or ("background", *structures())
    encode, origin = text_encoder(settings.encoder)
    found = embed(names, encode, settings.template, origin)
    write_class_embeddings(settings.out, found)
    return Embedded(settings.out, found)


def embed(names: Sequence[str], encode: TextEncoder, template: str, origin: str) -> ClassEmbeddings:
    """The embeddings of some classes by any text encoder.

    Args:
        names: As label tables have them; underscores are read as spaces.
        encode: Makes a row a text.
        template: With {} where the name goes.
        origin: What the encoder is, for the file.

    Raises:
        ConfigError: The template has no place for the name.
    """
    if "{}" not in template:
        msg = f"The template {template!r} has no {{}} for the name of the class."
        raise ConfigError(msg)
    texts = [template.replace("{}", name.replace("_", " ")) for name in names]
    rows = np.asarray(encode(texts), np.float32)
    return ClassEmbeddings(dict(zip(names, rows, strict=True)), f"{origin}: {template}")


def text_encoder(wanted: Literal["auto", "open-clip", "transformers"] = "auto") -> tuple[TextEncoder, str]:
    """The text encoder of an installed CLIP, and what it is.

    Raises:
        MissingDependencyError: It is not installed.
    """
    packages = {"open-clip": "open_clip", "transformers": "transformers"}
    asked = list(packages) if wanted == "auto" else [wanted]
    for name in asked:
        if find_spec(packages[name]) is not None:
            made = _open_clip() if name == "open-clip" else _transformers()
            return made, f"{name} ViT-B/32 openai"
    msg = (
        f"Class embeddings need the text encoder of {' or '.join(asked)}, which is not installed. "
        "Install it with: pip install open_clip_torch (or: pip install transformers)"
    )
    raise MissingDependencyError(msg)


def _open_clip() -> TextEncoder:
    import torch

    package: Any = import_module("open_clip")
    name, weights = _OPEN_CLIP_MODEL
    model = package.create_model(name, pretrained=weights).eval()
    tokenizer = package.get_tokenizer(name)

    def encode(texts: Sequence[str]) -> NDArray[np.floating[Any]]:
        with torch.inference_mode():
            rows: NDArray[np.floating[Any]] = model.encode_text(tokenizer(list(texts))).numpy()
        return rows

    return encode


def _transformers() -> TextEncoder:
    import torch

    package: Any = import_module("transformers")
    model = package.CLIPTextModelWithProjection.from_pretrained(_TRANSFORMERS_MODEL).eval()
    tokenizer = package.CLIPTokenizer.from_pretrained(_TRANSFORMERS_MODEL)

    def encode(texts: Sequence[str]) -> NDArray[np.floating[Any]]:
        with torch.inference_mode():
            tokens = tokenizer(list(texts), padding=True, return_tensors="pt")
            rows: NDArray[np.floating[Any]] = model(**tokens).text_embeds.numpy()
        return rows

    return encode
