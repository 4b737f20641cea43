"""The folder of each source in small: the names as released, and 4 x 4 x 4 voxels in each file.

A label map is told as its first voxels in file order, and so is what must come out of it.
"""

import json
from dataclasses import dataclass, field

import nibabel
import numpy as np
import openpyxl

AFFINE = np.diag([0.8, 0.8, 2.5, 1.0])


def save(path, first=(), affine=AFFINE, shape=(4, 4, 4), dtype=np.uint8):
    """A volume whose first voxels in file order are these."""
    voxels = np.zeros(int(np.prod(shape)), dtype=dtype)
    voxels[: len(first)] = first
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels.reshape(shape, order="F"), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def first_voxels(volume, count):
    """The first voxels of a volume in file order."""
    return volume.voxels.ravel(order="F")[:count].tolist()


def save_table(path, rows):
    """Rows of cells, the first the header, as .csv, .xlsx or .json by the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps([dict(zip(rows[0], row, strict=True)) for row in rows[1:]]))
    else:
        mark = ";" if path.name == "meta.csv" else ","
        path.write_text("\ufeff" + "\n".join(mark.join(map(str, row)) for row in rows), encoding="utf-8")


@dataclass
class Fake:
    """A source's folder, and what must come of it."""

    source: str
    images: list
    """Paths of the images."""
    labels: dict = field(default_factory=dict)
    """Path of a label map or mask to its first voxels."""
    tables: dict = field(default_factory=dict)
    cases: dict = field(default_factory=dict)
    """Our id to subset and modality."""
    painted: dict = field(default_factory=dict)
    """Our id to the first voxels of its label map in pants-28."""
    masks: dict = field(default_factory=dict)
    """Our id to some masks by name, as their first voxels."""
    rows: dict = field(default_factory=dict)
    """Our id to some columns of its row."""

    def build(self, folder):
        for number, path in enumerate(self.images):
            save(folder / path, [number, -5, 7], dtype=np.int16)
        for path, first in self.labels.items():
            save(folder / path, first)
        for path, rows in self.tables.items():
            save_table(folder / path, rows)
        return folder


PANTS_HEADER = [
    *("PanTS ID", "shape", "spacing", "ct phase", "sex", "age", "manufacturer", "manufacturer model"),
    *("study type", "site", "site detail", "site nationality", "study year", "tumor?"),
]
PANTS_ROW = [
    "(4, 4, 4)",
    "(0.8, 0.8, 2.5)",
    "Venous",
    "M ",
    95,
    "SIEMENS",
    "S64",
    None,
    "1 Site",
    "Elsewhere",
    "US",
    2010,
    1,
]


def pants(labels_in, header=None):
    """A release of PanTS in small, its labels sorted or not."""
    one, two = "PanTS_00000001", "PanTS_00009001"
    names = {"Tr": one, "Te": two}
    masks = {
        "pancreas": [1, 1, 1, 1, 1],
        "pancreas_head": [0, 0, 1],
        "pancreatic_lesion": [0, 0, 0, 1],
        "veins": [0, 0, 0, 0, 0, 1],
    }
    labels = {
        f"data/{labels_in or 'Label' + side}/{case}/segmentations/{name}.nii.gz": first
        for side, case in names.items()
        for name, first in masks.items()
    }
    labels |= {f"data/{labels_in or 'LabelTr'}/{one}/combined_labels.nii.gz": [9, 9]}
    extra = ["structured report"] if header else []
    return Fake(
        "pants",
        [f"data/Image{side}/{case}/ct.nii.gz" for side, case in names.items()],
        labels,
        {"data/metadata.xlsx": [[*PANTS_HEADER, *extra], [one, *PANTS_ROW, *(["FINDINGS:"] * bool(extra))]]},
        cases={one: ("train", "ct"), two: ("test", "ct")},
        painted={one: [17, 17, 19, 28, 17, 27, 0], two: [17, 17, 19, 28, 17, 27, 0]},
        masks={one: {"pancreas_head": [0, 0, 1, 0]}},
        rows={
            one: {
                "phase": "venous",
                "sex": "M",
                "age_years": 90,
                "manufacturer": "Siemens",
                "centre": "Elsewhere",
                "tumour": True,
            },
            two: {"sex": None, "patient": two},
        },
    )


def _mini(case, side):
    return {
        f"mask_only/{case}/segmentations/pancreas.nii.gz": [1, 1],
        f"mask_only/{case}/segmentations/liver.nii.gz": [0, 0, 1],
    }


ORGANS_13 = list(range(14))
LOBES_AND_OTHERS = (
    *("gallbladder", "urinary_bladder", "inferior_vena_cava", "portal_vein_and_splenic_vein", "pancreas"),
    *("lung_upper_lobe_left", "lung_lower_lobe_left", "esophagus"),
)

FAKES = [
    pants(None),
    pants("LabelAll", header=True),
    Fake(
        "pants-mini",
        ["image_only/PanTS_00009000/ct.nii.gz", "image_only/PanTS_00009001/ct.nii.gz"],
        _mini("PanTS_00009000", "Tr") | _mini("PanTS_00009001", "Te"),
        cases={"PanTS_00009000": ("train", "ct"), "PanTS_00009001": ("test", "ct")},
        painted={"PanTS_00009000": [17, 17, 14, 0]},
    ),
    Fake(
        "msd-pancreas",
        ["Task07_Pancreas/imagesTr/pancreas_001.nii.gz", "Task07_Pancreas/imagesTs/pancreas_002.nii.gz"],
        {"Task07_Pancreas/labelsTr/pancreas_001.nii.gz": [0, 1, 2]},
        cases={"pancreas_001": ("train", "ct"), "pancreas_002": ("test", "ct")},
        painted={"pancreas_001": [0, 17, 28]},
        masks={"pancreas_001": {"pancreas": [0, 1, 1], "pancreatic_lesion": [0, 0, 1]}},
    ),
    Fake(
        "panorama",
        ["batch_3/100002_00001_0000.nii.gz", "batch_1/100002_00002_0000.nii.gz"],
        {
            "labels/manual_labels/100002_00001.nii.gz": [0, 1, 2, 3, 4, 5, 6],
            "labels/automatic_labels/100002_00002.nii.gz": [4],
        },
        {
            "clinical_information.xlsx": [
                [
                    "PANORAMA_patient_id",
                    "PANORAMA_study_id",
                    "anonymized_study_date",
                    "patient_age",
                    "patient_sex",
                    "scanner",
                    "label",
                    "level",
                ],
                [100002, "100002_00001", None, "077Y", "F", "TOSHIBA", "PDAC", "pathology"],
                [100002, "100002_00002", None, "078Y", "F", "TOSHIBA", "non-PDAC", "radiology"],
            ]
        },
        cases={"100002_00001": ("train", "ct"), "100002_00002": ("train", "ct")},
        painted={"100002_00001": [0, 28, 27, 0, 17, 21, 7]},
        masks={"100002_00001": {"arteries": [0, 0, 0, 1], "pancreas": [0, 1, 0, 0, 1, 1, 0]}},
        rows={
            "100002_00001": {
                "patient": "100002",
                "age_years": 77,
                "sex": "F",
                "manufacturer": "Toshiba",
                "tumour": True,
            },
            "100002_00002": {"patient": "100002", "tumour": None},
        },
    ),
    Fake(
        "nih-pancreas-ct",
        ["Pancreas-CT/data/PANCREAS_0001.nii.gz"],
        {"Pancreas-CT/TCIA_pancreas_labels-02-05-2017/label0001.nii.gz": [0, 1]},
        cases={"PANCREAS_0001": ("train", "ct")},
        painted={"PANCREAS_0001": [0, 17]},
    ),
    Fake(
        "btcv",
        ["RawData/Training/img/img0001.nii.gz", "RawData/Testing/img/img0061.nii.gz"],
        {"RawData/Training/label/label0001.nii.gz": ORGANS_13},
        cases={"btcv_0001": ("train", "ct"), "btcv_0061": ("test", "ct")},
        painted={"btcv_0001": [0, 24, 13, 12, 11, 0, 14, 25, 3, 22, 27, 17, 2, 1]},
        masks={"btcv_0001": {"esophagus": [0, 0, 0, 0, 0, 1, 0]}},
    ),
    Fake(
        "chaos-ct",
        ["image/1_CT.nii.gz"],
        {"ground_truth/1_CT.nii.gz": [0, 255]},
        cases={"chaos_ct_1": ("train", "ct")},
        painted={"chaos_ct_1": [0, 14]},
    ),
    Fake(
        "chaos-t1",
        ["image/1_T1DUAL_MR.nii.gz"],
        {"ground_truth/1_T1DUAL_MR.nii.gz": [0, 63, 126, 189, 252]},
        cases={"chaos_t1_1": ("train", "t1")},
        painted={"chaos_t1_1": [0, 14, 13, 12, 24]},
    ),
    Fake(
        "chaos-t2",
        ["image/1_T2SPIR_MR.nii.gz"],
        {"ground_truth/1_T2SPIR_MR.nii.gz": [63]},
        cases={"chaos_t2_1": ("train", "t2")},
        painted={"chaos_t2_1": [14, 0]},
    ),
    Fake(
        "abdomenct-1k",
        ["AbdomenCT-1K-ImagePart1/Case_00001_0000.nii.gz", "AbdomenCT-1K-ImagePart2/Case_00400_0000.nii.gz"],
        {"Mask/Case_00001.nii.gz": [0, 1, 2, 3, 4], "Mask/Case_00400.nii.gz": [1]},
        cases={"Case_00001": ("train", "ct"), "Case_00400": ("train", "ct")},
        painted={"Case_00001": [0, 14, 0, 24, 17]},
        masks={"Case_00001": {"kidneys": [0, 0, 1, 0, 0]}},
    ),
    Fake(
        "word",
        [
            f"WORD-V0.1.0/images{side}/word_000{number}.nii.gz"
            for number, side in enumerate(("Tr", "Val", "Ts"))
        ],
        {
            "WORD-V0.1.0/labelsTr/word_0000.nii.gz": list(range(17)),
            "WORD-V0.1.0/labelsVal/word_0001.nii.gz": [8],
            "WORD-V0.1.0/labelsTs/word_0002.nii.gz": [8],
        },
        cases={"word_0000": ("train", "ct"), "word_0001": ("train", "ct"), "word_0002": ("test", "ct")},
        painted={"word_0000": [0, 14, 24, 12, 13, 25, 11, 0, 17, 8, 6, 0, 0, 0, 4, 0, 0]},
        masks={"word_0000": {"adrenal_glands": [0] * 12 + [1, 0], "head_of_femur_left": [0] * 15 + [1, 0]}},
    ),
    Fake(
        "amos",
        [
            "amos22/imagesTr/amos_0001.nii.gz",
            "amos22/imagesVa/amos_0508.nii.gz",
            "amos22/imagesTs/amos_0500.nii.gz",
        ],
        {"amos22/labelsTr/amos_0001.nii.gz": list(range(16)), "amos22/labelsVa/amos_0508.nii.gz": [10]},
        {
            "amos22/labeled_data_meta_0000_0599.csv": [
                [
                    "amos_id",
                    "Patient's Birth Date",
                    "Patient's Sex",
                    "Patient's Age",
                    "Manufacturer",
                    "Acquisition Date",
                    "Site",
                ],
                [1, "", "M", "055Y", "Aquilion ONE", "", "SZ-CGH"],
                [508, "", "F", "", "SIEMENS", "", "SZ-CGH"],
            ]
        },
        cases={"amos_0001": ("train", "ct"), "amos_0508": ("train", "mr"), "amos_0500": ("test", "ct")},
        painted={"amos_0001": [0, 24, 13, 12, 11, 0, 14, 25, 3, 22, 17, 2, 1, 8, 4, 0]},
        masks={"amos_0001": {"prostate_or_uterus": [0] * 15 + [1, 0]}},
        rows={
            "amos_0001": {"sex": "M", "age_years": 55, "centre": "SZ-CGH", "manufacturer": None},
            "amos_0508": {"manufacturer": "Siemens"},
        },
    ),
    Fake(
        "flare22",
        ["FLARE22Train/images/FLARE22_Tr_0001_0000.nii.gz"],
        {"FLARE22Train/labels/FLARE22_Tr_0001.nii.gz": ORGANS_13},
        cases={"FLARE22_Tr_0001": ("train", "ct")},
        painted={"FLARE22_Tr_0001": [0, 14, 13, 24, 17, 3, 22, 2, 1, 11, 0, 25, 8, 12]},
    ),
    Fake(
        "flare23",
        ["imagesTr2200/FLARE23_0001_0000.nii.gz", "unlabelTr1800/FLARE23_2201_0000.nii.gz"],
        {"labelsTr2200/FLARE23_0001.nii.gz": [0, 4, 14]},
        cases={"FLARE23_0001": ("train", "ct"), "FLARE23_2201": ("train", "ct")},
        painted={"FLARE23_0001": [0, 17, 0]},
        masks={"FLARE23_0001": {"tumour": [0, 0, 1]}},
    ),
    Fake(
        "kits",
        ["kits23/dataset/case_00000/imaging.nii.gz"],
        {
            "kits23/dataset/case_00000/segmentation.nii.gz": [0, 1, 2, 3],
            "kits23/dataset/case_00000/instances/kidney_instance-1_annotation-1.nii.gz": [1],
        },
        {
            "kits23/dataset/kits23.json": [
                ["case_id", "age_at_nephrectomy", "gender"],
                ["case_00000", 49, "male"],
            ]
        },
        cases={"case_00000": ("train", "ct")},
        masks={"case_00000": {"kidney_tumours": [0, 0, 1, 0], "kidneys_without_masses": [0, 1, 0, 0]}},
        rows={"case_00000": {"age_years": 49, "sex": "M"}},
    ),
    Fake(
        "lits",
        ["Training Batch 1/volume-0.nii", "LITS-Challenge-Test-Data/test-volume-3.nii"],
        {"Training Batch 1/segmentation-0.nii": [0, 1, 2]},
        cases={"lits_0": ("train", "ct"), "lits_test-volume-3": ("test", "ct")},
        painted={"lits_0": [0, 14, 14]},
        masks={"lits_0": {"liver": [0, 1, 1], "liver_tumours": [0, 0, 1]}},
    ),
    Fake(
        "ct-org",
        ["OrganSegmentations/volume-0.nii.gz", "OrganSegmentations/volume-21.nii.gz"],
        {"OrganSegmentations/labels-0.nii.gz": list(range(7)), "OrganSegmentations/labels-21.nii.gz": [1]},
        cases={"ctorg_0": ("test", "ct"), "ctorg_21": ("train", "ct")},
        painted={"ctorg_0": [0, 14, 4, 0, 0, 0, 0]},
        masks={"ctorg_0": {"lungs": [0, 0, 0, 1, 0], "bone": [0, 0, 0, 0, 0, 1, 0]}},
    ),
    Fake(
        "rsna-trauma",
        ["images/10000.nii.gz"],
        {"segmentations/10000.nii": [0, 1, 2, 3, 4, 5]},
        cases={"rsna_10000": ("train", "ct")},
        painted={"rsna_10000": [0, 14, 24, 12, 13, 0]},
        masks={"rsna_10000": {"bowel": [0, 0, 0, 0, 0, 1]}},
    ),
    Fake(
        "totalsegmentator-v2",
        ["Totalsegmentator_dataset_v201/s0000/ct.nii.gz", "Totalsegmentator_dataset_v201/s0001/ct.nii.gz"],
        {
            f"Totalsegmentator_dataset_v201/s0000/segmentations/{name}.nii.gz": [0] * place + [1]
            for place, name in enumerate(LOBES_AND_OTHERS)
        },
        {
            "Totalsegmentator_dataset_v201/meta.csv": [
                ["image_id", "age", "gender", "institute", "study_type", "split", "manufacturer"],
                ["s0000", 66.0, "m", "A", "ct abdomen", "val", "Siemens Healthineers"],
                ["s0001", "", "f", "B", "ct pelvis", "test", ""],
            ]
        },
        cases={"s0000": ("train", "ct"), "s0001": ("test", "ct")},
        painted={"s0000": [11, 4, 22, 27, 17, 15, 15, 0]},
        masks={"s0000": {"lung_left": [0, 0, 0, 0, 0, 1, 1, 0], "esophagus": [0] * 7 + [1]}},
        rows={
            "s0000": {"sex": "M", "age_years": 66, "centre": "A", "manufacturer": "Siemens"},
            "s0001": {"sex": "F", "age_years": None},
        },
    ),
    Fake(
        "abdomen-atlas",
        ["uncompressed/BDMAP_00000001/ct.nii.gz", "uncompressed/BDMAP_A0000002/BDMAP_00000002/ct.nii.gz"],
        {
            "uncompressed/BDMAP_00000001/segmentations/celiac_trunk.nii.gz": [1],
            "uncompressed/BDMAP_00000001/segmentations/portal_vein_and_splenic_vein.nii.gz": [0, 1],
            "uncompressed/BDMAP_00000001/segmentations/rectum.nii.gz": [0, 0, 1],
            "uncompressed/BDMAP_00000001/combined_labels.nii.gz": [13, 23, 25],
            "uncompressed/BDMAP_A0000002/BDMAP_00000002/segmentations/aorta.nii.gz": [1],
        },
        cases={"BDMAP_00000001": ("train", "ct"), "BDMAP_00000002": ("train", "ct")},
        painted={"BDMAP_00000001": [5, 27, 0]},
        masks={"BDMAP_00000001": {"rectum": [0, 0, 1]}},
    ),
    Fake(
        "pansegdata-t1",
        ["t1/imagesTr/NYU_0001_0000.nii.gz"],
        {"t1/labelsTr/NYU_0001.nii.gz": [0, 1]},
        cases={"t1_NYU_0001": ("train", "t1")},
        painted={"t1_NYU_0001": [0, 17]},
        rows={"t1_NYU_0001": {"centre": "NYU", "patient": "t1_NYU_0001"}},
    ),
    Fake(
        "pansegdata-t2",
        ["t2/imagesTr/NYU_0001_0000.nii.gz"],
        {"t2/labelsTr/NYU_0001.nii.gz": [1, 0]},
        cases={"t2_NYU_0001": ("train", "t2")},
        painted={"t2_NYU_0001": [17, 0]},
    ),
]
