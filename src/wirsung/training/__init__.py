"""From a dataset to a model: nnU-Net v2's planning and training, driven in one process."""
