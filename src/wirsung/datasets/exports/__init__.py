"""A dataset as other tools want it: nnU-Net, BIDS, the Decathlon's layout, Croissant."""
