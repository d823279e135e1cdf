"""The terms of the SCANVI bound.

For a cell x of batch s with one draw z1 ~ q(z1|x), and for each label y one draw
z2 ~ q(z2|z1,y), the negative evidence lower bound of an unlabeled cell is::

      R          = −log p(x | z1, s)                     counts given the state
    + E          = +log q(z1 | x)                        entropy of the state, at the draw
    + Σ_y q_y P_y  ,  P_y = −log p(z1 | z2, y)           state given the label
    + Σ_y q_y Z_y  ,  Z_y = KL[q(z2 | z1, y) ‖ N(0, I)]  within-type state
    + C          = KL[q(y | z1) ‖ p(y)]                  label
    + L          = KL[q(l | x) ‖ p(l)]                   library size (0 where observed)

A labeled cell has q_y = 1 at its label and C = 0.

References
----------
Xu, Lopez, Mehlman, Regier, Jordan and Yosef, Probabilistic harmonization and annotation of
single-cell transcriptomics data with deep generative models, Mol. Syst. Biol. 2021.
Kingma, Rezende, Mohamed and Welling, Semi-supervised learning with deep generative models, 2014.
"""

from typing import NamedTuple

from torch import Tensor


class Bound(NamedTuple):
    """Every term for every cell; shapes [cells], and [labels, cells] for q, P and Z.

    Where all cells are labeled the axis of labels has length 1.
    """

    R: Tensor
    E: Tensor
    q: Tensor
    P: Tensor
    Z: Tensor
    C: Tensor
    L: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """R + E + Σ_y q_y P_y, [cells]: never weighted down."""
        return self.R + self.E + (self.q * self.P).sum(0)

    @property
    def kl(self) -> Tensor:
        """Σ_y q_y Z_y + C + L, [cells]: phased in while training starts."""
        return (self.q * self.Z).sum(0) + self.C + self.L


class LossTerms(NamedTuple):
    """The loss of a minibatch and its three parts.

    loss = reconstruction + kl_weight · kl + classification_ratio · classification; the parts are
    means over cells, without their weights. `log_probs_labeled` [cells, n_labels] are the
    predictions for the labeled cells, None where none were given.
    """

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor
    classification: Tensor
    log_probs_labeled: Tensor | None
