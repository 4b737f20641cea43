"""What answers over HTTP: so far a warm model, for programs and for 3D Slicer."""
