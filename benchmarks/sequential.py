"""The published training step written plainly: one network call a frame, one after another.

It shares only the network classes with the library, and serves as the yardstick of every speed and every number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss


@dataclass(frozen=True)
class Settings:
    """The published options: weights of the terms, identity as a share of them, and which terms there are."""

    lambda_x: float = 10.0
    lambda_y: float = 10.0
    identity: float = 0.5
    cycle: bool = True
    adversarial_prediction: bool = False
    context: int = 2


def generator_step(
    networks: Mapping[str, nn.Module], x: Tensor, y: Tensor, settings: Settings
) -> tuple[dict[str, Tensor], dict[str, list[tuple[int, Tensor]]]]:
    """The objective of generators and predictors, and the fakes of each domain in the order they are judged later."""
    losses: dict[str, Tensor] = {}
    fakes: dict[str, list[tuple[int, Tensor]]] = {}
    directions = (("x", "y", x, settings.lambda_x), ("y", "x", y, settings.lambda_y))
    for source, target, clip, weight in directions:
        generate, back = networks[f"G_{target.upper()}"], networks[f"G_{source.upper()}"]
        predict, judge = networks[f"P_{target.upper()}"], networks[f"D_{target.upper()}"]
        length, k = clip.shape[1], settings.context
        translated = [generate(clip[:, t]) for t in range(length - 1)]
        predicted = {t: predict(torch.stack(translated[t - k : t], dim=1)) for t in range(k, length)}
        adversarial = clip.new_zeros(())
        for frame in [*translated, *predicted.values()]:
            adversarial = adversarial + _real(judge(frame))
        recycle = clip.new_zeros(())
        for t, frame in predicted.items():
            recycle = recycle + l1_loss(back(frame), clip[:, t])
        losses[f"adversarial/{target}"] = adversarial
        losses[f"recycle/{source}"] = weight * recycle
        if settings.cycle:
            cycle = clip.new_zeros(())
            for t, frame in enumerate(translated):
                cycle = cycle + l1_loss(back(frame), clip[:, t])
            losses[f"cycle/{source}"] = weight * cycle
        if settings.identity > 0:
            identity = clip.new_zeros(())
            for t in range(length - 1):
                identity = identity + l1_loss(back(clip[:, t]), clip[:, t])
            losses[f"identity/{source}"] = weight * settings.identity * identity
        fakes[target] = [*enumerate(translated), *predicted.items()]
    for domain, clip, weight in (("x", x, settings.lambda_x), ("y", y, settings.lambda_y)):
        predict, judge = networks[f"P_{domain.upper()}"], networks[f"D_{domain.upper()}"]
        recurrent = clip.new_zeros(())
        convincing = clip.new_zeros(())
        for t in range(settings.context, clip.shape[1]):
            frame = predict(clip[:, t - settings.context : t])
            recurrent = recurrent + l1_loss(frame, clip[:, t])
            if settings.adversarial_prediction:
                convincing = convincing + _real(judge(frame))
            fakes[domain].append((t, frame))
        losses[f"recurrent/{domain}"] = weight * recurrent
        if settings.adversarial_prediction:
            losses[f"adversarial_prediction/{domain}"] = convincing
    return losses, fakes


def discriminator_step(
    networks: Mapping[str, nn.Module], domain: str, clip: Tensor, fakes: list[tuple[int, Tensor]]
) -> Tensor:
    """The objective of one discriminator: every fake beside the real frame of its time."""
    judge = networks[f"D_{domain.upper()}"]
    total = clip.new_zeros(())
    for t, frame in fakes:
        total = total + 0.5 * (_real(judge(clip[:, t])) + _fake(judge(frame.detach())))
    return total


def training_step(
    networks: Mapping[str, nn.Module],
    x: Tensor,
    y: Tensor,
    optimizers: Mapping[str, torch.optim.Optimizer],
    settings: Settings,
) -> dict[str, Tensor]:
    """One step in the published order: generators and predictors, then D_Y, then D_X.

    Args:
        networks: G_X, G_Y, P_X, P_Y, D_X and D_Y.
        x: Clip of X, ``(batch, time, channel, height, width)`` in [-1, 1].
        y: Clip of Y.
        optimizers: ``"generators"``, ``"D_X"`` and ``"D_Y"``.
        settings: The published options.

    Returns:
        The weighted terms.
    """
    optimizers["generators"].zero_grad(set_to_none=True)
    losses, fakes = generator_step(networks, x, y, settings)
    torch.stack(list(losses.values())).sum().backward()
    optimizers["generators"].step()
    for domain, clip in (("y", y), ("x", x)):
        optimizer = optimizers[f"D_{domain.upper()}"]
        optimizer.zero_grad(set_to_none=True)
        loss = discriminator_step(networks, domain, clip, fakes[domain])
        loss.backward()
        optimizer.step()
        losses[f"discriminator/{domain}"] = loss
    return losses


def optimizers_of(networks: Mapping[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """The published optimizers: one Adam for generators and predictors, one for each discriminator."""

    def adam(names: list[str]) -> torch.optim.Optimizer:
        parameters = [parameter for name in names for parameter in networks[name].parameters()]
        return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))

    return {"generators": adam(["G_X", "G_Y", "P_X", "P_Y"]), "D_X": adam(["D_X"]), "D_Y": adam(["D_Y"])}


def _real(logits: Tensor) -> Tensor:
    return mse_loss(logits, torch.ones_like(logits))


def _fake(logits: Tensor) -> Tensor:
    return mse_loss(logits, torch.zeros_like(logits))
