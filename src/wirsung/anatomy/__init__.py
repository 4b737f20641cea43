"""The structures and the label schemes, as data."""
