"""The centres: each has a scanner that looks different, and a habit of contrast phases."""

from dataclasses import dataclass

import numpy as np

from wirsung.phantom.grid import Grid
from wirsung.phantom.settings import PhantomSettings, Phase

# Voxels along i, j, k and their least distance; all cover 400 mm from the lung bases to the hips.
_PRESETS = {
    "tiny": ((96, 80, 80), (4.0, 4.0, 5.0)),
    "small": ((192, 160, 112), (2.0, 2.0, 3.6)),
    "full": ((512, 512, 300), (0.78, 0.78, 1.34)),
}
# The level of the topmost slice above the phantom's origin: the domes of the lung's lower lobes.
_TOP_MM = 115.0
# Kernel sigma in voxels in the plane, and noise in HU: soft, standard, sharp and low-dose protocols.
_PROTOCOLS = ((0.75, 9.0), (0.60, 12.0), (0.45, 18.0), (0.65, 23.0))
_SLICE_KERNEL = 0.4
# How often a centre acquires each phase: mostly venous.
_HABITS: tuple[dict[Phase, float], ...] = (
    {"venous": 0.8, "arterial": 0.1, "non-contrast": 0.07, "delayed": 0.03},
    {"venous": 0.6, "arterial": 0.3, "non-contrast": 0.05, "delayed": 0.05},
)
# Made up, so that no real vendor's scanner is claimed.
_MANUFACTURERS = ("Phantom Scanners A", "Phantom Scanners B", "Phantom Scanners C", "Phantom Scanners D")


@dataclass(frozen=True)
class Centre:
    """One centre's scanner and habits."""

    name: str
    """A plain code: centre-1, centre-2, ..."""
    manufacturer: str
    """Made up."""
    shape: tuple[int, int, int]
    """Voxels along i, j and k."""
    spacing_mm: tuple[float, float, float]
    """Distance of voxel centres; the last is the slice spacing."""
    kernel_voxels: tuple[float, float, float]
    """Sigma of the scanner's blur along i, j and k; image and noise pass through it alike."""
    noise_hu: float
    """Standard deviation of the CT noise in the image, after the kernel."""
    noise_fraction: float
    """Standard deviation of each MR noise channel as a fraction of the brightest tissue's signal."""
    phases: dict[Phase, float]
    """How often each contrast phase is acquired; sums to 1."""

    @property
    def number(self) -> int:
        """1 for centre-1."""
        return int(self.name.rpartition("-")[2])


def centre(settings: PhantomSettings, index: int) -> Centre:
    """The centre of that index, 0 for centre-1; the same whatever the number of centres.

    Neighbouring centres have different protocols, so that holding one out is a shift of domain.
    """
    rng = np.random.default_rng([settings.seed, 1, index])
    first = int(np.random.default_rng([settings.seed, 2]).integers(len(_PROTOCOLS)))
    kernel, noise_hu = _PROTOCOLS[(first + index) % len(_PROTOCOLS)]
    jitter = [float(value) for value in rng.uniform(0.95, 1.05, size=2)]
    shape, spacing_mm = _matrix(settings.preset, rng)
    return Centre(
        name=f"centre-{index + 1}",
        manufacturer=_MANUFACTURERS[index % len(_MANUFACTURERS)],
        shape=shape,
        spacing_mm=spacing_mm,
        kernel_voxels=(kernel * jitter[0], kernel * jitter[0], _SLICE_KERNEL),
        noise_hu=noise_hu * jitter[1],
        noise_fraction=noise_hu * jitter[1] / 500,
        phases=_HABITS[index % len(_HABITS)],
    )


def image_grid(settings: PhantomSettings, place: Centre) -> Grid:
    """The grid of a scan at that centre, in the axis order L, P, S of a DICOM series."""
    i, j, k = place.shape
    middle_mm = (0.0, 0.0, _TOP_MM - (k - 1) / 2 * place.spacing_mm[2])
    grid = Grid.centred(place.shape, place.spacing_mm, settings.oblique_deg, middle_mm)
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = i - 1, j - 1
    return Grid(grid.shape, grid.affine @ flip)


def _matrix(preset: str, rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Voxels and spacing: a fixed matrix in the plane, as a CT's, and slices over the preset's length."""
    (columns, rows, slices), (pixel_mm, _, slice_mm) = _PRESETS[preset]
    pixel_mm = round(pixel_mm * float(rng.uniform(1.0, 1.1)), 3)
    chosen_mm = round(slice_mm * float(rng.uniform(0.9, 1.2)), 2)
    return (columns, rows, round(slices * slice_mm / chosen_mm)), (pixel_mm, pixel_mm, chosen_mm)


def draw_phase(settings: PhantomSettings, place: Centre, rng: np.random.Generator) -> Phase:
    """The contrast phase of one scan; MR is made without contrast."""
    if settings.modality != "ct":
        return "non-contrast"
    wanted = {phase: 1 / len(settings.phases) for phase in settings.phases} or place.phases
    names = list(wanted)
    return names[int(rng.choice(len(names), p=np.array(list(wanted.values()))))]
