"""`wirsung import`: a public source's folder becomes a dataset by reference, and no voxel is copied."""
