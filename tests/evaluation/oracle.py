"""What the exact kernel is held against: scipy's erosion and distance transform, mask by mask."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

MILLIMETRES = (0.5, 0.7, 0.8, 1.0, 1.25, 2.0, 3.0, 5.0)
TOLERANCES_MM = (0.5, 1.0, 2.0, 2.5, 4.0)
_CROSS = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class Oracle:
    """Distances both ways of two masks, and the metrics, each as its formula reads."""

    to_prediction: np.ndarray
    to_reference: np.ndarray

    @classmethod
    def of(cls, reference, prediction, spacing):
        box = ndimage.find_objects((reference | prediction).view(np.uint8))[0]
        one, other = (np.ascontiguousarray(mask[box]) for mask in (reference, prediction))
        first, second = (mask & ~ndimage.binary_erosion(mask, _CROSS) for mask in (one, other))
        return cls(
            ndimage.distance_transform_edt(~second, sampling=spacing)[first],
            ndimage.distance_transform_edt(~first, sampling=spacing)[second],
        )

    def nsd(self, tolerance_mm, *, strict):
        if strict:
            near = [(d < tolerance_mm * (1 - 1e-6)).sum() for d in (self.to_prediction, self.to_reference)]
        else:
            near = [(d <= tolerance_mm * (1 + 1e-6)).sum() for d in (self.to_prediction, self.to_reference)]
        return sum(near) / (self.to_prediction.size + self.to_reference.size)

    @property
    def hd(self):
        return max(self.to_prediction.max(), self.to_reference.max())

    @property
    def hd95(self):
        return max(np.percentile(self.to_prediction, 95), np.percentile(self.to_reference, 95))

    @property
    def assd(self):
        both = np.concatenate([self.to_prediction, self.to_reference])
        return both.mean()

    @property
    def masd(self):
        return (self.to_prediction.mean() + self.to_reference.mean()) / 2


def random_label_maps(generator, low, high):
    """Two label maps of smooth regions with speckle, touching the volume's edges, and a spacing."""
    shape = tuple(generator.integers(low, high + 1, 3))
    spacing = tuple(generator.choice(MILLIMETRES, 3).tolist())
    reference = _regions(generator, shape)
    if generator.random() < 0.2:
        prediction = np.where(generator.random(shape) < 0.01, 0, reference).astype(np.uint8)
    else:
        prediction = _regions(generator, shape)
    return reference, prediction, spacing


def _regions(generator, shape):
    noise = ndimage.gaussian_filter(generator.standard_normal(shape), generator.uniform(0.3, 4))
    labels = np.digitize(noise, np.sort(np.quantile(noise, generator.random(6)))).astype(np.uint8)
    speckled = generator.random(shape) < generator.choice([0, 0.001, 0.05])
    labels[speckled] = generator.integers(0, 9)
    return labels
