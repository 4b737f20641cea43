"""Where classes lie, against nnU-Net's own draw."""

import numpy as np
from scipy import ndimage

from wirsung.models.locations import class_locations


def _labels(shape):
    random = np.random.default_rng(5)
    labels = (ndimage.gaussian_filter(random.normal(size=shape), 3) > 0.05).astype(np.int16)
    labels[ndimage.gaussian_filter(random.normal(size=shape), 3) > 0.08] = 2
    labels[0] = -1
    return labels


def test_class_locations_are_nnunets():
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    labels = _labels((40, 40, 40))
    for classes in ([1, 2, 3], [3, 2, 1], [2]):
        theirs = DefaultPreprocessor._sample_foreground_locations(labels[None], classes)
        ours = class_locations(labels, classes)
        assert list(ours) == list(theirs)
        for value in set(classes) - {3}:
            np.testing.assert_array_equal(ours[value], theirs[value])
            assert (labels[tuple(ours[value][:, 1:].T)] == value).all()
        assert len(ours.get(3, ())) == 0


def test_of_a_large_class_one_in_a_hundred_is_drawn():
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    labels = np.ones((11, 320, 320), np.uint8)
    theirs = DefaultPreprocessor._sample_foreground_locations(labels[None], [1])
    ours = class_locations(labels, [1])
    assert ours[1].shape == (11_264, 4)
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_no_class_has_no_locations():
    assert class_locations(np.ones((2, 2, 2), np.int16), ()) == {}
