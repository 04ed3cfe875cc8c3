"""Grids whose results the documentation shows, and what makes its tables and pictures of them."""
