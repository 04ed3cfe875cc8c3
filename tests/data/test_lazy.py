"""Importing the data layer, and finding samples, stays cheap: no other package is imported."""

import subprocess
import sys

CODE = """
import sys, vtrans.data
for name in vtrans.data.samples:
    try:
        vtrans.data.sample_path(name)
    except FileNotFoundError:
        pass
print([m for m in ("av", "PIL", "kornia", "cv2", "filelock", "skvideo", "kivy") if m in sys.modules])
"""


def test_other_packages_are_imported_where_they_are_used():
    assert subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout == "[]\n"
