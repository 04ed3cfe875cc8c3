"""Frames in: videos, images and folders of them as sequences, and the cuts in them."""
