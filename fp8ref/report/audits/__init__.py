"""Audits of model files, rendered from their documents."""
