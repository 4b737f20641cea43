"""Augmentation in batches on any device: nnU-Net's list, with its probabilities and parameters."""
