"""What can happen to a checkpoint, by accident or by someone who means it."""

import hashlib
import json


def note_again(checkpoint):
    """Has the manifest say what is there now, as one who attacks would."""
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    for name, noted in manifest["files"].items():
        content = (checkpoint / name).read_bytes()
        noted.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


def edited(checkpoint, name, change):
    content = json.loads((checkpoint / name).read_text())
    change(content)
    (checkpoint / name).write_text(json.dumps(content))
    if name != "manifest.json":
        note_again(checkpoint)


def at(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def remove(file):
    file.unlink()
