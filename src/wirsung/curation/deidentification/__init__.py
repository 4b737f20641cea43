"""De-identification by construction: what is released is built, never cleaned."""
