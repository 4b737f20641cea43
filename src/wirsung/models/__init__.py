"""What a trained model is: plans, preprocessing, networks, weights. All of it is nnU-Net v2's own format."""

import os

# Read once, when torch loads. Threads that spin while they wait take the cores from whom they wait for as
# soon as another program is busy; on an idle machine sleeping ones are a little slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
