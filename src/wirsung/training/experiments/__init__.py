"""Experiments: a paper's comparison as a file, run arm by arm, ending in one page with both tables."""
