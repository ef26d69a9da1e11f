"""Recordings on disk: read from files, folders and archives, packed, and checked against the model."""
