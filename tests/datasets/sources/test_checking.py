import pytest

from wirsung.datasets.sources import read_source
from wirsung.errors import ConfigError, LabelError

HEAD = 'schema = 1\nname = "ours"\ntitle = "Ours"\n'
PART = '[[layouts]]\nname = "a"\n[[layouts.parts]]\n'
MASKS = PART + 'image = "{case}.nii.gz"\nmasks = "{case}/{mask}.nii.gz"\n'
LABELS = PART + 'image = "{case}.nii.gz"\nlabel = "{case}_seg.nii.gz"\n'
NAMED = 'annotated_masks = ["liver", "spleen"]\n'
FILE = '[[downloads]]\nurl = "https://example.org/a"\nfile = "a.zip"\n'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (LABELS, "label maps but no label_scheme"),
        (MASKS, "does not say which are annotated"),
        ('label_scheme = "pancraes"\n' + LABELS, r"no scheme named 'pancraes'"),
        (NAMED + 'mask_names = { livr = "a" }\n' + MASKS, "there is no structure 'livr'"),
        (
            NAMED + 'mask_names = { liver = "a", spleen = "a" }\n' + MASKS,
            "two structures are named by one mask",
        ),
        (
            NAMED + 'mask_names = { liver = "spleen", spleen = "liver" }\n' + MASKS,
            "liver and spleen are named for each other, in a circle",
        ),
        (PART + 'image = "a.nii.gz"', r"the pattern 'a\.nii\.gz' has no \{case\}"),
        (NAMED + PART + 'image = "{case}.nii.gz"\nmasks = "{case}.nii.gz"', r"has no \{mask\}"),
        (PART + 'image = "{case}.nii.gz"\ncase = "("', "is no regular expression"),
        (PART + 'image = "{case}.nii.gz"\nmodality = "pet"', "modality 'pet' is none of ct, t1, t2, mr"),
        ("", "neither layouts nor advice"),
        ('id_template = "x"\nadvice = "y"', r"id_template has no \{case\}"),
        (
            'advice = "y"\n[table]\nfile = "t.csv"\ncase = "id"\ncolumns = { seks = "s" }',
            "'seks' is no column",
        ),
        ('advice = "y"\n' + FILE + 'sha256 = "ab"', "sha256 of a.zip is not 64"),
        ('advice = "y"\n' + FILE + 'md5 = "ab"', "md5 of a.zip is not 32"),
        ('advice = "y"\n' + FILE.replace("https", "ftp"), "is no URL"),
        ('advice = "y"\n' + FILE.replace("a.zip", "../a.zip"), "is no plain file name"),
    ],
)
def test_what_no_type_can_say_is_checked(text, match):
    with pytest.raises((ConfigError, LabelError), match=match):
        read_source(HEAD + text, "ours.toml")


def test_a_scheme_that_loses_a_class_silently_is_refused(tmp_path):
    (tmp_path / "s.toml").write_text('name = "s"\nforeign = true\nclasses = [{ value = 1, name = "bone" }]')
    text = HEAD + 'label_scheme = "s.toml"\n' + LABELS
    with pytest.raises(ConfigError, match="the class 'bone' of s maps to nothing, but dropped lacks it"):
        read_source(text, "ours.toml", tmp_path)
    (tmp_path / "s.toml").write_text(
        'name = "s"\nforeign = true\ndropped = ["bone"]\nclasses = [{ value = 1, name = "bone" }]'
    )
    assert read_source(text, "ours.toml", tmp_path).annotated == ("bone",)
