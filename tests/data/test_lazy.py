"""Importing the data layer stays cheap."""

import subprocess
import sys


def test_heavy_packages_are_imported_where_they_are_used():
    code = "import sys, vtrans.data; print([m for m in ('av', 'PIL', 'kornia', 'cv2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
