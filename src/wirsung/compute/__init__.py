"""Mapping a stage over many cases, and writing files that are whole or absent."""
