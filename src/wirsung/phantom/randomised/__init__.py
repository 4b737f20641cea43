"""Phantoms whose look and shape are drawn anew for every case, so that a network learns anatomy alone.

Five kinds of randomisation, each with chance of its own: whichever is left out, the others draw what they
would have drawn with it. The masks are always those of the anatomy that the image shows.

Source:
    B. Billot, D. N. Greve, O. Puonti et al., SynthSeg: segmentation of brain MRI scans of any contrast and
    resolution without retraining, Med Image Anal 2023;86:102789. What differs: the anatomies are phantoms,
    not segmented patients, and are deformed before they are drawn; see docs/how-to/synthetic-training.md.
"""
