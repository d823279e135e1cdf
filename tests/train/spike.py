"""A minibatch with an exploding gradient: for one step the gradients are huge, the wrong way."""

from contextlib import contextmanager

from scanvi_core.train.step import Stepper

SIZE = -1e4


@contextmanager
def spike_at(number):
    """Multiply the gradients of step `number` of all runs meanwhile by -10,000."""
    usual = Stepper._add_gradients

    def spiked(stepper, piece, kl_weight):
        gained = usual(stepper, piece, kl_weight)
        if stepper.number == number:
            for parameter in stepper.module.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(SIZE)
        return gained

    Stepper._add_gradients = spiked
    try:
        yield
    finally:
        Stepper._add_gradients = usual
