"""Sizes and tiles from headers, against what is read and computed."""

import json

import numpy as np
import pytest

from wirsung.errors import ImageError
from wirsung.imaging.dicom import is_dicom_file
from wirsung.imaging.nifti import read_image
from wirsung.inference.extents import Extent, extent_of, prepared_voxels, tiles_of
from wirsung.inference.predictor import Predictor
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source, find_sources
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings


def test_tiles_are_counted_from_headers_as_they_are_computed(three_images, model, tmp_path):
    predict(PredictSettings(three_images, tmp_path / "out", model=model, device="cpu"))
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    predictor = Predictor.load(model, device="cpu")
    for case, source in find_sources(three_images).items():
        (work,) = rows[case]["work"]
        assert tiles_of(predictor, extent_of(source)) == sum(work["tiles"].values())


def test_the_size_of_a_dicom_series_is_known_from_some_of_its_files(tmp_path):
    phantom(PhantomSettings(tmp_path / "raw", cases=1, preset="tiny", format="dicom", phases=("venous",)))
    folder = next(path.parent for path in sorted((tmp_path / "raw").rglob("*")) if is_dicom_file(path))
    (series,) = find_sources(folder).values()
    volume, extent = series.volume(), extent_of(series)
    assert sorted(extent.shape) == sorted(volume.shape)
    (z, y, x), (z_mm, y_mm, x_mm) = extent.along(None)
    assert (x, y, z) == volume.shape
    assert (x_mm, y_mm, z_mm) == pytest.approx(volume.spacing_mm, rel=1e-3)


def test_a_folder_without_slices_has_no_size(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ImageError, match="no DICOM slice"):
        extent_of(Source("dicom", tmp_path, "notes"))


def test_what_a_network_sees_is_counted_as_it_is_prepared(model, make_scan):
    volume, _ = make_scan((20, 18, 60))
    predictor = Predictor.load(model, device="cpu")
    # 1.5 x 1.5 x 2 mm at 1.5 x 1.5 x 2 mm: as many voxels as there are.
    assert prepared_voxels(predictor, Extent(volume.shape, volume.affine)) == 20 * 18 * 60
    coarse = Extent((20, 18, 60), np.diag([3.0, 3.0, 2.0, 1.0]))
    assert prepared_voxels(predictor, coarse) == 40 * 36 * 60


def test_an_extent_is_turned_without_a_voxel():
    # Axis i runs from head to foot, so it is z of an image in RPS.
    extent = Extent((7, 5, 3), np.array([[0.0, 0, 2, 0], [0, 1, 0, 0], [-4, 0, 0, 0], [0, 0, 0, 1]]))
    assert extent.voxels == 105
    assert extent.along("RPS") == ((7, 5, 3), (4.0, 1.0, 2.0))
    assert extent.along(None) == ((3, 5, 7), (2.0, 1.0, 4.0))


def test_a_turned_file_is_read_as_the_network_sees_it(three_images):
    extent = extent_of(find_sources(three_images)["turned"])
    assert extent.shape == read_image(three_images / "turned.nii.gz").shape
    assert extent.along("RAS")[0] == (22, 18, 40)
