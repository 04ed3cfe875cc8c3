"""The looks of a street: light, sky and weather."""

from dataclasses import dataclass

from vtrans.data.worlds.street.builder import Vector


@dataclass(frozen=True)
class Look:
    """Light, sky and weather; colours are RGB, light is relative to the colours of things.

    Without ``orb_at`` the sun is hidden: it stands far above what can be seen.
    """

    ambient: Vector  # light from everywhere
    sun: Vector  # light from where the sun or the moon is
    towards: Vector  # direction to it (right, up, ahead)
    zenith: Vector  # colour of the sky high up
    horizon: Vector  # colour of the sky at the horizon
    haze: Vector  # colour of what is far away
    sight: float  # distance at which half of a thing's colour is haze, in metres
    clouds: tuple[Vector, Vector]  # their colour in the light, and in shade
    cover: float  # how much of the sky they cover, 0 to 1
    orb: Vector = (200, 200, 200)  # colour of the sun or the moon
    orb_at: Vector = (0.0, 9.0, 0.05)  # where it is seen, as slopes to the right and up, and its radius
    shadow: float = 0.0  # how dark shadows on the ground are, 0 to 1
    lit: float = 0.0  # share of windows with a light on
    lamps: float = 0.0  # strength of lamps and headlights
    wet: float = 0.0  # how much the road mirrors
    snow: float = 0.0  # how much snow lies
    rain: float = 0.0  # how many drops fall, 0 to 1
    flakes: float = 0.0  # how many flakes fall, 0 to 1


LOOKS: dict[str, Look] = {
    "day": Look(
        ambient=(0.60, 0.65, 0.74),
        sun=(0.52, 0.47, 0.38),
        towards=(-0.48, 0.64, -0.6),
        orb=(255, 255, 240),
        orb_at=(-0.75, 0.9, 0.05),
        zenith=(62, 128, 216),
        horizon=(196, 226, 246),
        haze=(190, 212, 232),
        sight=190.0,
        clouds=((255, 255, 255), (206, 218, 234)),
        cover=0.48,
        shadow=0.42,
    ),
    "sunset": Look(
        ambient=(0.50, 0.38, 0.50),
        sun=(0.72, 0.36, 0.12),
        towards=(-0.45, 0.35, 0.5),
        orb=(255, 240, 190),
        orb_at=(-0.06, 0.1, 0.06),
        zenith=(66, 62, 132),
        horizon=(255, 166, 84),
        haze=(244, 146, 92),
        sight=95.0,
        clouds=((255, 150, 104), (150, 84, 122)),
        cover=0.5,
        shadow=0.25,
        lit=0.12,
        lamps=0.22,
    ),
    "rain": Look(
        ambient=(0.46, 0.51, 0.57),
        sun=(0.06, 0.06, 0.06),
        towards=(0.0, 1.0, 0.0),
        zenith=(92, 102, 116),
        horizon=(160, 168, 178),
        haze=(142, 151, 162),
        sight=52.0,
        clouds=((142, 150, 160), (82, 92, 106)),
        cover=0.8,
        lit=0.22,
        lamps=0.16,
        wet=1.0,
        rain=1.0,
    ),
    "snow": Look(
        ambient=(0.78, 0.82, 0.90),
        sun=(0.14, 0.14, 0.13),
        towards=(-0.3, 0.9, -0.3),
        zenith=(176, 188, 204),
        horizon=(228, 233, 240),
        haze=(222, 228, 236),
        sight=62.0,
        clouds=((236, 240, 245), (190, 200, 214)),
        cover=0.65,
        shadow=0.06,
        lit=0.16,
        lamps=0.06,
        snow=1.0,
        flakes=1.0,
    ),
    "night": Look(
        ambient=(0.19, 0.22, 0.36),
        sun=(0.03, 0.04, 0.07),
        towards=(0.42, 0.62, 0.66),
        orb=(246, 242, 218),
        orb_at=(0.12, 0.42, 0.04),
        zenith=(6, 9, 26),
        horizon=(34, 40, 76),
        haze=(24, 28, 54),
        sight=110.0,
        clouds=((38, 42, 70), (16, 19, 40)),
        cover=0.35,
        lit=0.5,
        lamps=1.0,
    ),
}
