"""Frames out: videos with their times and audio, and folders of images."""
