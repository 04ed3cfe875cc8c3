"""Pictures and short videos of what the model makes so far."""

from __future__ import annotations

from collections.abc import Iterator

from vtrans.data import frames_to_tensor, tensor_to_frames, write_video
from vtrans.data.tensors import Frames, resize_frames
from vtrans.evaluation.pictures import side_by_side, write_strip
from vtrans.evaluation.translations import recycled
from vtrans.objectives.reports import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run

VIDEO_FRAMES, VIDEO_RATE = 48, 12


class Previews(Callback):
    """Writes strips of one clip of each domain, and videos of frames beside their translations, at intervals."""

    def on_step(self, run: Run, report: StepReport) -> None:
        settings = run.prepared.settings
        if not run.devices.main:
            return
        with averaged(run.average):
            if run.due(settings.preview_every):
                run.folder.previews.mkdir(exist_ok=True)
                write_strip(strip(run), run.folder.previews / f"step-{run.done:06d}.png")
            if run.due(settings.video_every):
                run.folder.previews.mkdir(exist_ok=True)
                for domain in [name for name in ("x", "y") if {"x": "y", "y": "x"}[name] in run.prepared.model.targets]:
                    target = run.folder.previews / f"step-{run.done:06d}-{domain}.mp4"
                    write_video(target, beside_translation(run, domain), rate=VIDEO_RATE, overwrite=True)


def strip(run: Run) -> dict[str, Frames]:
    """One clip of each domain: as it is, translated, and brought back; the same clips each time."""
    prepared = run.prepared
    rows = {}
    for domain, clips, other in (("x", prepared.clips_x, "y"), ("y", prepared.clips_y, "x")):
        if other not in prepared.model.targets:
            continue
        clip = clips[0].to(run.devices.device)
        rows[domain] = clip
        rows[f"G_{other.upper()}({domain})"] = prepared.model.translate(clip, to=other)
        if domain not in prepared.model.targets:
            continue
        label, first, back = recycled(prepared.model, clip, domain)
        back[:first] = 1  # white as the paper: times without a prediction are left out
        rows[label] = back
    return {label: tensor_to_frames(frames) for label, frames in rows.items()}


def beside_translation(run: Run, domain: str) -> Iterator[Frames]:
    """The first frames of a domain at load size, each with its translation at its right."""
    clips = run.prepared.clips_x if domain == "x" else run.prepared.clips_y
    sequence = clips.source.sequences[0]
    frames = sequence.read(0, min(VIDEO_FRAMES, sequence.length))
    if clips.size is not None:
        frames = resize_frames(frames, clips.size)
    other = "y" if domain == "x" else "x"
    clip = frames_to_tensor(frames).to(run.devices.device)
    translated = tensor_to_frames(run.prepared.model.translate(clip, to=other))
    return side_by_side({domain: frames, f"G_{other.upper()}({domain})": translated})
