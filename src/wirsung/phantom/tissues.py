"""What a voxel of the phantom is made of: one code each, and which codes make up each structure."""

from enum import IntEnum


class Tissue(IntEnum):
    """The tissue codes of `Body.tissue`; each voxel holds one.

    A structure owns its codes: the colon has one each for wall, content and gas, and the two
    kidneys have codes of their own. Duct and lesion have a code for each region of the pancreas they lie in.

    Example:
        >>> Tissue(0)
        <Tissue.AIR: 0>
    """

    AIR = 0
    """Outside the body."""
    SKIN = 1
    FAT = 2
    """Subcutaneous, visceral and in the renal sinus."""
    MUSCLE = 3
    CORTICAL_BONE = 4
    MARROW = 5
    DISC = 6
    """Between two vertebrae."""
    SPINAL_CANAL = 7
    HEART = 8
    """Blood pool and wall as one."""
    ARTERY = 9
    """Branches that PanTS doesn't name, such as the common hepatic, splenic, renal and iliac arteries."""
    VEIN = 10
    """Branches that PanTS doesn't name, such as the renal veins."""
    BOWEL_WALL = 11
    """Of the small bowel beyond the duodenum."""
    BOWEL_CONTENT = 12
    BOWEL_GAS = 13
    ADRENAL_GLAND_LEFT = 20
    ADRENAL_GLAND_RIGHT = 21
    AORTA = 22
    BLADDER_WALL = 23
    BLADDER_URINE = 24
    CELIAC_ARTERY = 25
    COLON_WALL = 26
    COLON_CONTENT = 27
    COLON_GAS = 28
    COMMON_BILE_DUCT = 29
    DUODENUM_WALL = 30
    DUODENUM_CONTENT = 31
    FEMUR_LEFT_CORTEX = 32
    FEMUR_LEFT_MARROW = 33
    FEMUR_RIGHT_CORTEX = 34
    FEMUR_RIGHT_MARROW = 35
    GALL_BLADDER = 36
    KIDNEY_LEFT_CORTEX = 37
    KIDNEY_LEFT_MEDULLA = 38
    KIDNEY_RIGHT_CORTEX = 39
    KIDNEY_RIGHT_MEDULLA = 40
    LIVER = 41
    LIVER_VESSEL = 42
    """Veins inside the liver, which belong to it."""
    LUNG_LEFT = 43
    LUNG_RIGHT = 44
    PANCREAS_HEAD = 45
    PANCREAS_BODY = 46
    PANCREAS_TAIL = 47
    DUCT_HEAD = 48
    DUCT_BODY = 49
    DUCT_TAIL = 50
    LESION_HEAD = 51
    LESION_BODY = 52
    LESION_TAIL = 53
    POSTCAVA = 54
    PROSTATE = 55
    SPLEEN = 56
    STOMACH_WALL = 57
    STOMACH_CONTENT = 58
    STOMACH_GAS = 59
    SUPERIOR_MESENTERIC_ARTERY = 60
    VEINS = 61
    """Superior mesenteric, splenic and portal vein outside the liver."""


TRUNK = (Tissue.SKIN, Tissue.MUSCLE, Tissue.CORTICAL_BONE, Tissue.MARROW)
"""The wall of the trunk, which soft organs follow."""
DUCT = (Tissue.DUCT_HEAD, Tissue.DUCT_BODY, Tissue.DUCT_TAIL)
LESION = (Tissue.LESION_HEAD, Tissue.LESION_BODY, Tissue.LESION_TAIL)
HEAD = (Tissue.PANCREAS_HEAD, Tissue.DUCT_HEAD, Tissue.LESION_HEAD)
BODY = (Tissue.PANCREAS_BODY, Tissue.DUCT_BODY, Tissue.LESION_BODY)
TAIL = (Tissue.PANCREAS_TAIL, Tissue.DUCT_TAIL, Tissue.LESION_TAIL)

TISSUES: dict[str, tuple[Tissue, ...]] = {
    "adrenal_gland_left": (Tissue.ADRENAL_GLAND_LEFT,),
    "adrenal_gland_right": (Tissue.ADRENAL_GLAND_RIGHT,),
    "aorta": (Tissue.AORTA,),
    "bladder": (Tissue.BLADDER_WALL, Tissue.BLADDER_URINE),
    "celiac_artery": (Tissue.CELIAC_ARTERY,),
    "colon": (Tissue.COLON_WALL, Tissue.COLON_CONTENT, Tissue.COLON_GAS),
    "common_bile_duct": (Tissue.COMMON_BILE_DUCT,),
    "duodenum": (Tissue.DUODENUM_WALL, Tissue.DUODENUM_CONTENT),
    "femur_left": (Tissue.FEMUR_LEFT_CORTEX, Tissue.FEMUR_LEFT_MARROW),
    "femur_right": (Tissue.FEMUR_RIGHT_CORTEX, Tissue.FEMUR_RIGHT_MARROW),
    "gall_bladder": (Tissue.GALL_BLADDER,),
    "kidney_left": (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA),
    "kidney_right": (Tissue.KIDNEY_RIGHT_CORTEX, Tissue.KIDNEY_RIGHT_MEDULLA),
    "liver": (Tissue.LIVER, Tissue.LIVER_VESSEL),
    "lung_left": (Tissue.LUNG_LEFT,),
    "lung_right": (Tissue.LUNG_RIGHT,),
    "pancreas": HEAD + BODY + TAIL,
    "pancreas_body": BODY,
    "pancreas_head": HEAD,
    "pancreas_tail": TAIL,
    "pancreatic_duct": DUCT,
    "postcava": (Tissue.POSTCAVA,),
    "prostate": (Tissue.PROSTATE,),
    "spleen": (Tissue.SPLEEN,),
    "stomach": (Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.STOMACH_GAS),
    "superior_mesenteric_artery": (Tissue.SUPERIOR_MESENTERIC_ARTERY,),
    "veins": (Tissue.VEINS,),
    "pancreatic_lesion": LESION,
}
"""The codes of each structure, in the official order; head, body and tail include their duct and lesion."""
