"""The history of translated frames from which discriminators are also taught."""

from typing import Any

import torch
from torch import Tensor

from vtrans.errors import refusal


class HistoryPool:
    """Keeps earlier fakes and gives back, for half of the frames it is shown, one of those instead.

    Until it is full it keeps every frame and gives it back unchanged. Then each frame is, with probability ½, exchanged
    for a kept one. It draws from a random generator of its own.

    Args:
        size: Images kept, above 0.
        seed: Seed of the draws.

    Raises:
        ValueError: ``size`` is not above 0.

    Example:
        >>> pool = HistoryPool(2, seed=0)
        >>> frames = torch.arange(4.0).view(4, 1, 1, 1, 1)
        >>> pool.query(frames[:2]).flatten().tolist()
        [0.0, 1.0]

    Reference:
        Shrivastava et al., Learning from simulated and unsupervised images through adversarial training, 2017.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
            raise ValueError(refusal("size", allowed="a whole number above 0", got=repr(size)))
        self.size = size
        self.images: list[Tensor] = []
        self.generator = torch.Generator().manual_seed(seed)

    def query(self, frames: Tensor) -> Tensor:
        """Shows frames ``(times, batch, channel, height, width)`` in order; the result has the same shape."""
        answer = []
        if self.images and self.images[0].shape != frames.shape[2:]:
            raise ValueError(
                refusal(
                    "frames",
                    allowed=f"the shape of the kept images, {tuple(self.images[0].shape)}",
                    got=f"{tuple(frames.shape[2:])}",
                    fix="Keep one size of clips, or train without a pool",
                )
            )
        for image in frames.flatten(0, 1):
            if len(self.images) < self.size:
                self.images.append(image.clone())
                answer.append(image)
            elif torch.rand((), generator=self.generator) > 0.5:
                place = int(torch.randint(self.size, (), generator=self.generator))
                answer.append(self.images[place].to(image))
                self.images[place] = image.clone()
            else:
                answer.append(image)
        return torch.stack(answer).view_as(frames)

    def state_dict(self) -> dict[str, Any]:
        """The kept images and the state of the draws."""
        return {"images": list(self.images), "random": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a saved state."""
        missing = [key for key in ("images", "random") if key not in state]
        if missing:
            raise ValueError(refusal("state", allowed="what state_dict() gave", got=f"no {' and no '.join(missing)}"))
        if len(state["images"]) > self.size:
            raise ValueError(
                refusal("state", allowed=f"at most {self.size} images", got=f"{len(state['images'])} images")
            )
        self.generator.set_state(state["random"])
        self.images = list(state["images"])
