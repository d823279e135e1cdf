"""Steps on a CUDA device: recorded once, then replayed by a single call.

A step is about a thousand small calls, each of which takes longer to start than to run. A CUDA
graph starts them all at once; it needs every size and every address to stay as they were.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from scanvi_core.module import SCANVI
from scanvi_core.train.compiled import compiling
from scanvi_core.train.step import Stepper

WARM_UP = 3  # steps before recording: optimizer state and workspaces must be there already

Capture = Callable[[Callable[[], None], torch.Generator], Callable[[], None]]


class Replay:
    """Takes the steps of a run whose counts are on the device.

    Row numbers, learning rate and KL weight reach the device in one copy that nobody waits for.
    The first steps, minibatches of another size, and all steps where recording failed or memory
    ran short, are taken call by call; so are those while the compiler is at work, whose calls a
    recording must not meet.

    Parameters
    ----------
    stepper
        What takes the steps; its rows are `DeviceRows`.
    sizes
        Cells and labeled cells of a full minibatch.
    capture
        Records what a function does on the device, without doing it, and returns what does it;
        random numbers come from the generator. None: a CUDA graph.
    """

    def __init__(
        self, stepper: Stepper, sizes: tuple[int, int], capture: Capture | None = None
    ) -> None:
        self.stepper, self.sizes = stepper, sizes
        self.inputs = torch.zeros(sum(sizes) + 2, dtype=torch.int64, device=stepper.device)
        on_cuda = stepper.device.type == "cuda"
        self.stream = torch.cuda.Stream(stepper.device) if on_cuda else None
        self.capture = capture or partial(capture_graph, stream=self.stream)
        self.program: Callable[[], None] | None = None
        self.waiting = WARM_UP
        self.recordable = True

    def take(self, rows: np.ndarray, chosen: np.ndarray, rate: float, kl_weight: float) -> None:
        """Take one step; arguments as `Stepper.take`, all in the memory of the machine."""
        packed = pack(rows, chosen, rate, kl_weight)
        if self.stream is not None:
            packed = packed.pin_memory()
        if (len(rows), len(chosen)) != self.sizes:
            self._plainly(packed.to(self.inputs.device, non_blocking=True), len(rows))
            return
        self.inputs.copy_(packed, non_blocking=True)
        if self.program is None and self._due():
            self._record()
        if self.program is None:
            self._plainly(self.inputs, len(rows))
        else:
            self.program()

    def _due(self) -> bool:
        """Tell whether this step is the one to record."""
        if not self.recordable or self.stepper.parts > 1 or compiling():
            return False
        self.waiting -= 1
        return self.waiting < 0

    def _plainly(self, packed: Tensor, n_rows: int) -> None:
        with beside(self.stream):
            self.stepper.take(*unpack(packed, n_rows))

    def _record(self) -> None:
        stepper, state = self.stepper, self.stepper.noise.get_state()
        stepper.optimizer.zero_grad(set_to_none=True)
        try:
            self.program = self.capture(
                lambda: stepper.step_once(*unpack(self.inputs, self.sizes[0])), stepper.noise
            )
        except Exception as fault:  # drivers fail in many ways, and no run may end for one
            logging.getLogger(__name__).warning("Recording a step failed.", exc_info=fault)
            self.recordable = False
            # The generator may still take itself for one that is being recorded.
            stepper.noise = torch.Generator(stepper.device)
            stepper.noise.set_state(state)
            stepper.note(
                f"Steps could not be recorded on the graphics card ({type(fault).__name__}): "
                "training is slower, its result the same."
            )


def pack(rows: np.ndarray, chosen: np.ndarray, rate: float, kl_weight: float) -> Tensor:
    """Return row numbers and two floats, bit by bit, as one int64 tensor."""
    numbers = np.array([rate, kl_weight]).view(np.int64)
    return torch.from_numpy(np.concatenate([rows, chosen, numbers]))


def unpack(packed: Tensor, n_rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rows, chosen rows, learning rate and KL weight, the last two as float32."""
    rate, kl_weight = packed[-2:].view(torch.float64).float().unbind()
    return packed[:n_rows], packed[n_rows:-2], rate, kl_weight


def capture_graph(
    step: Callable[[], None], noise: torch.Generator, stream: "torch.cuda.Stream | None"
) -> Callable[[], None]:
    """Record a CUDA graph of `step`, whose replays draw fresh numbers from `noise`."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(noise)
    # Other threads of the program may use the device meanwhile: only this one must be careful.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        step()
    return graph.replay


@contextmanager
def beside(stream: "torch.cuda.Stream | None") -> Iterator[None]:
    """Work on `stream` for a while, in order with what comes before and after.

    What autograd remembers of a stream must be that of the recording.
    """
    if stream is None:
        yield
        return
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)


@contextmanager
def quick_products(module: SCANVI) -> Iterator[None]:
    """Let a CUDA device multiply matrices in TF32 for a while, except in parity mode.

    TF32 keeps 10 bits of each factor and float32 sums, an error below the noise of one draw of
    the latent state. bfloat16 keeps 7, too few for logits whose softmax spans 2,000 genes, and
    the matrices are too small for it to be much faster.
    """
    if module.parity or module.device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
