"""Pancreas imaging from raw scans to curated datasets, trained models, exact scores and reports."""

__version__ = "0.1.0"
