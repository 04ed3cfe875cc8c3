"""What a cell ran on, in words that name no machine."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch


def machine(device: torch.device, threads: int) -> dict[str, Any]:
    """Facts about the machine: no names, users or paths.

    Args:
        device: Where is computed.
        threads: CPU threads.

    Example:
        >>> facts = machine(torch.device("cpu"), 1)
        >>> facts["device"], facts["threads"]
        ('cpu', 1)
    """
    facts: dict[str, Any] = {
        "system": platform.system(),
        "processor": _processor() or platform.machine(),
        "cores": os.cpu_count(),
        "device": device.type,
        "threads": threads,
    }
    if device.type == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def _processor() -> str:
    """The processor's name, where the system tells it."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        if found is not None:
            return found[1].strip()
    return ""
