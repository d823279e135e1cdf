"""Compiled steps: the dense arithmetic of the likelihood as one loop, where a compiler is there.

Compiling the whole step was tried and is no faster on a CPU: the compiler's batch norm takes twice
as long as torch's own, which eats what it gains elsewhere. Nor do runs on a CPU switch to the
compiled likelihood: it saves a twentieth of a step at most (``python -m benchmarks.speed.step``),
and changing the rounding in the middle would cost what is worth more, that a run taken up again
ends with the very weights of an unbroken one.
"""

import logging
import shutil
import threading
from collections.abc import Callable

from scanvi_core.distributions.fused import compile_terms
from scanvi_core.module import SCANVI

WORTH_STEPS = 1_000  # compiling takes as long as some hundred steps; below that it does not pay


def compile_step(module: SCANVI) -> str | None:
    """Compile what steps of `module` need; return None, or in a sentence why they stay as is.

    Numbers stay the same up to rounding. What was compiled serves all later runs of the process.
    """
    device = module.device.type
    if device == "mps" or (device == "cpu" and not has_compiler()):
        return "Steps are not compiled: this machine has no compiler that torch can use."
    try:
        compile_terms(
            dense=device != "cpu",
            per_cell=module.dispersion != "gene",
            zero_inflated=module.reconstruction_loss == "zinb",
            device=device,
        )
    except Exception as fault:  # compilers fail in many ways, and no run may end for one
        logging.getLogger(__name__).warning("Compiling failed.", exc_info=fault)
        return f"Steps are not compiled: the compiler failed ({type(fault).__name__})."
    return None


def compile_beside(module: SCANVI, n_steps: int, note: Callable[[str], None]) -> None:
    """Start compiling in the background for a run on a graphics card that is long enough.

    Steps are plain until it is done. `note` is told, in a sentence, if it fails.
    """

    def work() -> None:
        fault = compile_step(module)
        if fault:
            note(fault)

    on_card = module.device.type == "cuda"
    if on_card and n_steps >= WORTH_STEPS and not module.parity:
        _beside[:] = [thread for thread in _beside if thread.is_alive()]
        _beside.append(threading.Thread(target=work, daemon=True))
        _beside[-1].start()


def compiling() -> bool:
    """Tell whether a compiler is at work in the background."""
    return any(thread.is_alive() for thread in _beside)


_beside: list[threading.Thread] = []


def has_compiler() -> bool:
    """Tell whether torch finds a C++ compiler."""
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))
