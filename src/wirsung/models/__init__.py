"""What a trained model is: plans, preprocessing, networks, weights. All of it is nnU-Net v2's own format."""
