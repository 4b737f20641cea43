"""Which cases exist and who may learn from them: cases, manifest, splits."""
