"""Malformed files made from good ones, and a process of its own that reads them.

Run as a program, it reads the files whose paths come on its standard input and prints one line for each.
"""

import json
import random
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SECONDS = 20
MEGABYTES = 1500


def originals(folder: Path) -> list[Path]:
    """Small good files of every common kind."""
    from helpers.media import encode, moving
    from PIL import Image

    frames = moving(24, 48, 64)
    videos = [
        ("a.mp4", "libx264", "yuv420p", {"x264-params": "keyint=8:bframes=2"}),
        ("fragments.mp4", "libx264", "yuv420p", {"x264-params": "keyint=8", "movflags": "frag_keyframe+empty_moov"}),
        ("hevc.mp4", "libx265", "yuv420p", {"x265-params": "keyint=8:log-level=none"}),
        ("a.mov", "prores_ks", "yuv422p10le", {}),
        ("a.mkv", "libx264", "yuv420p", {"x264-params": "keyint=8"}),
        ("lossless.mkv", "ffv1", "bgra", {}),
        ("a.avi", "mpeg4", "yuv420p", {"g": "8"}),
        ("mjpeg.avi", "mjpeg", "yuvj420p", {}),
        ("a.webm", "libvpx-vp9", "yuv420p", {"g": "8", "b": "0", "crf": "30"}),
        ("av1.webm", "libsvtav1", "yuv420p", {"preset": "12"}),
        ("a.ts", "libx264", "yuv420p", {"x264-params": "keyint=8"}),
        ("a.mpg", "mpeg2video", "yuv420p", {"g": "8"}),
        ("a.flv", "flv", "yuv420p", {"g": "8"}),
        ("a.wmv", "wmv2", "yuv420p", {"g": "8"}),
        ("a.gif", "gif", "rgb8", {}),
        ("a.y4m", "wrapped_avframe", "yuv420p", {}),
    ]
    made = [encode(folder / name, frames, codec=c, pixels=p, options=o) for name, c, p, o in videos]
    images = [Image.fromarray(frame) for frame in frames[:4]]
    more = {"save_all": True, "append_images": images[1:]}
    stills = [
        ("a.png", images[0], {}),
        ("palette.png", images[0].quantize(16), {"transparency": 3}),
        ("sixteen.png", Image.fromarray(frames[0, ..., 0].astype(np.uint16) * 257), {}),
        ("animated.png", images[0], more),
        ("a.jpg", images[0], {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}),
        ("progressive.jpg", images[0], {"progressive": True}),
        ("cmyk.jpg", images[0].convert("CMYK"), {}),
        ("a.tif", images[0], {}),
        ("deflated.tif", images[0], {"compression": "tiff_adobe_deflate"}),
        ("lzw.tif", images[0], {"compression": "tiff_lzw"}),
        ("pages.tif", images[0], more),
        ("a.webp", images[0], {}),
        ("animated.webp", images[0], more),
        ("a.bmp", images[0], {}),
    ]
    for name, image, options in stills:
        image.save(folder / name, **options)
        made.append(folder / name)
    return made


def malformed(files: list[Path], count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of malformed files, the same for the same seed: kinds of damage and files take turns."""
    kinds = (_cut, _flipped, _flipped_header, _spliced, _renamed, _holed, _noise, _grown)
    for i in range(count):
        draw = random.Random(f"{seed} {i}")
        file = files[i % len(files)]
        damage = kinds[(i // len(files) + i) % len(kinds)]
        suffix, content = damage(file, files, draw)
        yield f"{i:05}-{damage.__name__.strip('_')}-{file.stem}{suffix}", content


def _cut(file, files, draw):
    whole = file.read_bytes()
    return file.suffix, whole[: draw.randrange(1, len(whole))]


def _flipped(file, files, draw):
    damaged = bytearray(file.read_bytes())
    for _ in range(draw.choice((1, 4, 32, 256))):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return file.suffix, bytes(damaged)


def _flipped_header(file, files, draw):
    damaged = bytearray(file.read_bytes())
    for _ in range(draw.choice((1, 2, 8))):
        damaged[draw.randrange(min(len(damaged), 512))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
    return file.suffix, bytes(damaged)


def _spliced(file, files, draw):
    one, other = file.read_bytes(), draw.choice(files).read_bytes()
    return file.suffix, one[: draw.randrange(8, len(one))] + other[draw.randrange(len(other)) :]


def _renamed(file, files, draw):
    return draw.choice(files).suffix, file.read_bytes()


def _holed(file, files, draw):
    damaged = bytearray(file.read_bytes())
    start = draw.randrange(len(damaged))
    stop = min(len(damaged), start + draw.randrange(1, 2000))
    if draw.random() < 0.5:
        del damaged[start:stop]
    else:
        damaged[start:stop] = bytes(stop - start)
    return file.suffix, bytes(damaged)


def _noise(file, files, draw):
    magic = file.read_bytes()[: draw.choice((4, 16, 64))]
    return file.suffix, magic + draw.randbytes(draw.randrange(1, 20000))


def _grown(file, files, draw):
    """Four bytes somewhere in front replaced by a large number, as sizes and counts are."""
    damaged = bytearray(file.read_bytes())
    place = draw.randrange(min(len(damaged) - 4, 2000))
    number = draw.choice((0x7FFFFFFF, 0xFFFFFFFF, 60000, 16000, 1 << 24))
    damaged[place : place + 4] = number.to_bytes(4, draw.choice(("big", "little")))
    return file.suffix, bytes(damaged)


def examine(path: Path) -> str:
    """Reads a file in every way: ``frames`` or ``refused``, or what else happened."""
    from vtrans.data import open_source

    try:
        (sequence,) = open_source(path).sequences
        shape, length = (sequence.height, sequence.width, sequence.channels), sequence.length
        count, kept = 0, {}
        for count, frame in enumerate(sequence.stream(), start=1):
            if frame.shape != shape or frame.dtype != np.uint8:
                return f"frame {count} of {frame.shape} and {frame.dtype}, not {shape}"
            if count - 1 in (0, 1, 2, length // 2, length - 1):
                kept[count - 1] = frame
        if count != length or length < 1:
            return f"{count} frames streamed, {length} counted"
        for position in kept:
            if not np.array_equal(sequence.read(position, 1)[0], kept[position]):
                return f"frame {position} read is another one than streamed"
        if sequence.read(0, min(3, length)).shape != (min(3, length), *shape):
            return "a clip of another shape"
    except (ValueError, OSError) as error:
        named = str(path) in str(error)
        return "refused" if named else f"{type(error).__name__} that doesn't name the file: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "frames"


def examine_all(paths: list[Path]) -> dict[str, str]:
    """What comes of each file, by name, each read in a process apart; one that dies is told and another one started."""
    waiting, outcomes = list(paths), {}
    while waiting:
        names = "\n".join(map(str, waiting))
        command = [sys.executable, str(Path(__file__)), *sys.path]
        run = subprocess.run(command, input=names, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        outcomes |= dict(lines)
        waiting = waiting[len(lines) :]
        if waiting and run.returncode != 3:  # 3: it asks to be started anew
            hung = run.returncode == -signal.SIGALRM
            fate = f"more than {SECONDS} s" if hung else f"died with {run.returncode}: {run.stderr[-500:]}"
            outcomes[waiting.pop(0).name] = fate
    return outcomes


def _megabytes() -> int:
    """The most memory that this process has taken; on Linux without what the one that started it had."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (most,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(most) // 1024


def _main() -> None:
    sys.path[:] = sys.argv[1:]
    import vtrans.data  # noqa: F401

    warnings.simplefilter("ignore")
    for line in sys.stdin.read().splitlines():
        path = Path(line)
        signal.alarm(SECONDS)
        outcome = examine(path)
        signal.alarm(0)
        megabytes = _megabytes()
        if megabytes > MEGABYTES:
            outcome = f"{outcome}, but took {megabytes} MB"
        print(json.dumps([path.name, outcome]), flush=True)
        if megabytes > MEGABYTES:
            sys.exit(3)


if __name__ == "__main__":
    _main()
