"""The cache that an nnU-Net style script makes of a converted case, run by benchmarks/curation.py as a peer.

The CT to 1 mm by skimage's cubic resize in float32, the label map one-hot and linear for each label, both to
blosc2 as nnU-Net v2 writes them.

Source:
    nnunetv2/preprocessing/resampling/default_resampling.py and batchgenerators'
    augmentations/utils.py, resize_segmentation, with nnU-Net's orders: 3 for the image, 1 for labels.

    python benchmarks/curation_cache.py CONVERTED OUT
"""

import sys
from pathlib import Path

import blosc2
import nibabel
import numpy as np
from skimage.transform import resize

OPTIONS = {"mode": "edge", "anti_aliasing": False, "clip": True, "preserve_range": True}


def main(converted: Path, out: Path) -> None:
    out.mkdir(parents=True)
    blosc2.set_nthreads(1)
    image = nibabel.load(converted / "ct.nii.gz")
    shape = tuple(np.round(np.array(image.shape) * image.header.get_zooms()).astype(int))
    ct = np.asanyarray(image.dataobj).astype(np.float32)
    ct = (ct - ct.mean()) / ct.std()
    save(resize(ct, shape, order=3, **OPTIONS).astype(np.float32), out / "ct.b2nd")
    labels = np.asanyarray(nibabel.load(converted / "combined_labels.nii.gz").dataobj)
    resized = np.zeros(shape, np.int8)
    for value in np.unique(labels):
        part = resize((labels == value).astype(np.float32), shape, order=1, **OPTIONS)
        resized[part >= 0.5] = value
    save(resized, out / "labels.b2nd")


def save(array: np.ndarray, path: Path) -> None:
    """With the codec and level of nnU-Net's blosc2 dataset."""
    blosc2.asarray(
        np.ascontiguousarray(array[None]),
        urlpath=str(path),
        chunks=(1, *(min(length, 128) for length in array.shape)),
        cparams={"codec": blosc2.Codec.ZSTD, "clevel": 8},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
