"""The tool that makes class embeddings, with a small encoder of our own, and without a CLIP."""

from importlib.util import find_spec

import numpy as np
import pytest

from wirsung.anatomy.structures import structures
from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models.networks.class_embeddings import read_class_embeddings, write_class_embeddings
from wirsung.models.networks.class_embeddings_clip import EmbedSettings, embed, embed_classes, text_encoder

without_clip = pytest.mark.skipif(
    any(find_spec(name) is not None for name in ("open_clip", "transformers")), reason="a CLIP is installed"
)
TEMPLATE = "A computerized tomography of a {}"


def _letters(texts):
    """A text encoder that counts letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return np.array([[text.count(letter) for letter in letters] for text in texts], np.float64)


def test_each_class_gets_the_row_of_its_sentence(tmp_path):
    found = embed(["liver", "kidney_left"], _letters, TEMPLATE, "letters")
    expected = _letters(["A computerized tomography of a kidney left"])[0]
    np.testing.assert_array_equal(found.vectors["kidney_left"], expected)
    write_class_embeddings(tmp_path / "codes.safetensors", found)
    read = read_class_embeddings(tmp_path / "codes.safetensors")
    assert read.origin == "letters: A computerized tomography of a {}"
    assert read.width == 26


def test_a_template_without_a_place_for_the_name_is_refused():
    with pytest.raises(ConfigError, match=r"has no \{\} for the name"):
        embed(["liver"], _letters, "A liver", "letters")


def test_the_28_structures_all_get_sentences_of_their_own():
    found = embed(list(structures()), _letters, TEMPLATE, "letters")
    assert len({row.tobytes() for row in found.vectors.values()}) == len(structures())


@without_clip
@pytest.mark.parametrize(
    ("encoder", "named"),
    [("auto", "open-clip or transformers"), ("open-clip", "open-clip"), ("transformers", "transformers")],
)
def test_without_a_clip_it_is_said_what_to_install(tmp_path, encoder, named):
    with pytest.raises(
        MissingDependencyError, match=f"encoder of {named}, which is not.*pip install open_clip"
    ):
        text_encoder(encoder)
    with pytest.raises(MissingDependencyError):
        embed_classes(EmbedSettings(tmp_path / "codes.safetensors", encoder=encoder))
    assert list(tmp_path.iterdir()) == []
