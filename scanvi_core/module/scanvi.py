"""SCANVI: a VAE whose latent state is explained by a cell type and what varies within it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from scanvi_core.distributions.divergences import (
    gaussian_log_prob,
    kl_categorical,
    kl_standard_gaussian,
)
from scanvi_core.errors import SettingInvalid
from scanvi_core.module.elbo import Bound, LossTerms
from scanvi_core.module.groups import (
    allowed_labels,
    check_groups,
    check_prior,
    known_labels,
    label_index,
    log_hierarchy,
    log_mass,
    members_of,
    restrict,
)
from scanvi_core.module.vae import VAE
from scanvi_core.nn.layers import HiddenLayers
from scanvi_core.nn.networks import (
    VARIANCE_FLOOR,
    Classifier,
    Decoded,
    Encoder,
    GaussianDecoder,
)
from scanvi_core.nn.noise import Noise, drawing_from, following
from scanvi_core.nn.sparse import Counts, fastest_form

LEAST_SHARE = 1e-8  # that a logarithm is taken of


class SCANVI(VAE):
    """Single-cell annotation using variational inference.

    Generative model: y ~ p(y), z2 ~ N(0, I), z1 ~ p(z1 | z2, y), x ~ p(x | z1, batch).
    Inference: q(z1 | x) q(y | z1) q(z2 | z1, y). A cell's label is unknown (-1), known, or known
    to be one of a set; what is unknown is summed over.

    Parameters
    ----------
    n_input, n_batch, n_labels, n_hidden, n_latent, n_layers, dropout_rate, dispersion, \
log_variational, reconstruction_loss, use_observed_lib_size, encoder_input, input_dropout_rate, \
use_layer_norm, parity
        As in :class:`VAE`; `n_labels` is at least 1.
    y_prior
        Prior weights of the labels, [n_labels] or [1, n_labels], all positive, in the order of
        the label codes; need not sum to one. None: uniform.
    labels_groups
        Group of each label, numbered from 0. Group g is then the label code n_labels + g.
    use_labels_groups
        Classify groups first, then labels inside their group.
    label_sets
        Which labels each set holds, bool [n_sets, n_labels]: set s is the label code
        n_labels + s, and a cell that has it may be any of them. Sets may overlap and lie in one
        another. None: the sets are the groups.
    classifier_parameters
        Overrides of the classifier: `n_layers` (0: linear), `n_hidden`, `dropout_rate`.

    Raises
    ------
    SettingInvalid
        If a setting has a value that cannot work.

    References
    ----------
    Xu et al., Mol. Syst. Biol. 2021. See :mod:`scanvi_core.module.elbo` for the terms.
    """

    allowed: Tensor  # the labels each code leaves open, bool [n_labels + n_sets, n_labels]
    groups: Tensor  # the group of each label [n_labels]; None without groups

    def __init__(
        self,
        n_input: int,
        n_batch: int = 0,
        n_labels: int = 0,
        n_hidden: int = 128,
        n_latent: int = 10,
        n_layers: int = 1,
        dropout_rate: float = 0.1,
        dispersion: str = "gene",
        log_variational: bool = True,
        reconstruction_loss: str = "zinb",
        y_prior: Tensor | Sequence[float] | None = None,
        labels_groups: Sequence[int] | None = None,
        use_labels_groups: bool = False,
        classifier_parameters: Mapping[str, Any] = MappingProxyType({}),
        *,
        label_sets: Tensor | None = None,
        use_observed_lib_size: bool = False,
        encoder_input: str = "log1p",
        input_dropout_rate: float = 0.0,
        use_layer_norm: bool = False,
        parity: bool = False,
    ) -> None:
        if n_labels < 1:
            raise SettingInvalid(
                f"n_labels is {n_labels}.", "Name cells of at least one type first."
            )
        super().__init__(
            n_input, n_batch, n_labels, n_hidden, n_latent, n_layers, dropout_rate, dispersion,
            log_variational, reconstruction_loss, use_observed_lib_size=use_observed_lib_size,
            encoder_input=encoder_input, input_dropout_rate=input_dropout_rate,
            use_layer_norm=use_layer_norm, parity=parity,
        )  # fmt: skip
        of_classifier = _classifier_layers(self.hidden, classifier_parameters)
        self.classifier = Classifier(n_latent, n_labels, of_classifier)
        self.encoder_z2_z1 = Encoder(n_latent, n_latent, self.hidden, n_labels)
        floor = 0.0 if parity else VARIANCE_FLOOR
        self.decoder_z1_z2 = GaussianDecoder(
            n_latent, n_latent, self.hidden, n_labels, variance_floor=floor
        )
        self.y_prior = nn.Parameter(check_prior(y_prior, n_labels), requires_grad=False)
        groups = None if labels_groups is None else check_groups(labels_groups, n_labels)
        if label_sets is None and groups is not None:
            label_sets = members_of(groups, int(groups.max()) + 1)
        # Made from the arguments, so not part of the saved state.
        self.register_buffer("groups", groups, persistent=False)
        self.register_buffer("allowed", allowed_labels(n_labels, label_sets), persistent=False)
        self.use_labels_groups = use_labels_groups
        if use_labels_groups:
            self._classify_groups(groups, of_classifier)

    def _classify_groups(self, groups: Tensor | None, of_classifier: HiddenLayers) -> None:
        if groups is None:
            raise SettingInvalid(
                "use_labels_groups is set, but labels_groups is missing.",
                "Give the group of each label, or unset use_labels_groups.",
            )
        members = members_of(groups, int(groups.max()) + 1).to(torch.uint8)
        self.groups_index = nn.ParameterList(nn.Parameter(m, requires_grad=False) for m in members)
        self.classifier_groups = Classifier(self.n_latent, len(members), of_classifier)

    def log_q_y(self, z1: Tensor) -> Tensor:
        """Return log q(y | z1), normalized [cells, n_labels]; in the bound and in predictions."""
        logits = self.classifier(z1)
        if self.use_labels_groups:
            return log_hierarchy(logits, self.classifier_groups(z1), self.groups)
        return torch.log_softmax(logits, dim=-1)

    def every_label(self, z1: Tensor) -> Tensor:
        """Return the one-hot labels [n_labels, 1, n_labels], to broadcast over the cells."""
        return torch.eye(self.n_labels, dtype=z1.dtype, device=z1.device)[:, None]

    def log_prior(self) -> Tensor:
        """Return log p(y), normalized [1, n_labels]."""
        return (self.y_prior / self.y_prior.sum()).log()

    def log_classify(self, x: Counts) -> Tensor:
        """Return log-probabilities of the labels [cells, n_labels] at the mean of q(z1 | x)."""
        return self.log_q_y(self.encode(x).mean)

    def classify(self, x: Counts) -> Tensor:
        """Return probabilities of the labels [cells, n_labels]."""
        return self.log_classify(x).exp()

    def get_latents(self, x: Counts, y: Tensor | None = None) -> list[Tensor]:
        """Return the posterior means [z1, z2], each [cells, n_latent].

        z2 is averaged over the labels by q(y | z1), restricted to what `y` leaves open.
        """
        _, z1, z2 = self.predict(x, y)
        return [z1, z2]

    def predict(self, x: Counts, y: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `classify` (within what `y` leaves open) and `get_latents` do, at once."""
        z1 = self.encode(x).mean
        log_q = self.log_q_y(z1)
        if y is not None:
            log_q = restrict(log_q, self._known(y))
        q = log_q.exp()
        z2 = self.encoder_z2_z1(z1[None], self.every_label(z1)).mean
        return q, z1, torch.einsum("bk,kbl->bl", q, z2)

    def bound(
        self,
        x: Counts,
        local_l_mean: Tensor | None = None,
        local_l_var: Tensor | None = None,
        batch_index: Tensor | None = None,
        y: Tensor | None = None,
    ) -> Bound:
        """Return every term of the bound for every cell; arguments as `forward`."""
        x = fastest_form(x)
        q_z1 = self.encode(x)
        z1 = self.draw(q_z1)
        library, L = self.library(x, local_l_mean, local_l_var)
        decoded = self.decode(z1, library, batch_index)
        index = None if y is None else label_index(y, self.n_labels)
        if index is not None and bool(((index >= 0) & (index < self.n_labels)).all()):
            label = self.allowed[index][None].to(z1.dtype)
            q, C = z1.new_ones(1, len(z1)), z1.new_zeros(len(z1))
            R = self.negative_log_likelihood(x, decoded, self.theta(decoded, batch_index, index))
        else:
            label = self.every_label(z1)
            q, C = self._label_posterior(z1, index)
            R = self.reconstruction_by_label(x, decoded, batch_index)
            R = R[0] if len(R) == 1 else (q * R).sum(0)
        P, Z = self._state_given_label(z1, label)
        return Bound(R=R, E=gaussian_log_prob(z1, *q_z1), q=q, P=P, Z=Z, C=C, L=L)

    def _state_given_label(self, z1: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return P and Z of each cell at one draw of z2, [labels, cells]."""
        q_z2 = self.encoder_z2_z1(z1[None], label)
        p_z1 = self.decoder_z1_z2(self.draw(q_z2), label)
        return -gaussian_log_prob(z1, *p_z1), kl_standard_gaussian(*q_z2)

    def reconstruction_by_label(
        self, x: Counts, decoded: Decoded, batch_index: Tensor | None
    ) -> Tensor:
        """Return R of each cell given each label [n_labels, cells].

        [1, cells] where the label makes no difference, which is all but a dispersion by label.
        """
        labels = range(self.n_labels) if self.dispersion == "gene-label" else [None]
        thetas = (self.theta(decoded, batch_index, k) for k in labels)
        return torch.stack([self.negative_log_likelihood(x, decoded, theta) for theta in thetas])

    def forward(
        self,
        x: Counts,
        local_l_mean: Tensor | None = None,
        local_l_var: Tensor | None = None,
        batch_index: Tensor | None = None,
        y: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, float]:
        """Return the negative bound of each cell in two parts, and 0.

        Parameters
        ----------
        x
            Counts [cells, genes], dense or as sparse rows.
        local_l_mean, local_l_var
            Prior of the log library size [cells, 1]; needed if it is latent.
        batch_index
            Batch of each cell, index [cells(, 1)] or one-hot.
        y
            Label of each cell, index [cells(, 1)] or one-hot; -1: unlabeled, n_labels + s: one
            of set s. None: all cells are unlabeled.

        Returns
        -------
        tuple
            (R + E + Σ q P, Σ q Z + C + L, 0), see :mod:`scanvi_core.module.elbo`.
        """
        bound = self.bound(x, local_l_mean, local_l_var, batch_index, y)
        return bound.reconstruction, bound.kl, 0.0

    def loss(
        self,
        x: Counts,
        batch_index: Tensor | None = None,
        y: Tensor | None = None,
        *,
        labeled: tuple[Counts, Tensor] | None = None,
        soft: Tensor | None = None,
        teacher: Tensor | None = None,
        kl_weight: float | Tensor = 1.0,
        classification_ratio: float = 50.0,
        distillation_ratio: float = 0.0,
        local_l_mean: Tensor | None = None,
        local_l_var: Tensor | None = None,
        generator: Noise | None = None,
    ) -> LossTerms:
        """Return the loss of a minibatch; see :class:`LossTerms`.

        Parameters
        ----------
        x, batch_index, y, local_l_mean, local_l_var
            Cells of the bound, as `forward`.
        labeled
            Counts and labels (codes as `y`) of the cells of the classification term.
        soft
            Soft labels [cells, n_labels] of the cells of the classification term, which are
            learned instead of their codes; None: the codes are.
        teacher
            Probabilities [cells, n_labels] that q(y | z1) of the cells of the bound is drawn to
            (Hinton et al. 2015, "Distilling the knowledge in a neural network",
            arXiv:1503.02531); None: nothing draws it.
        kl_weight, classification_ratio, distillation_ratio
            Weights of the terms beside the reconstruction; the last is that of the teacher.
        generator
            Source of random numbers for this call, dropout included.
        """
        with drawing_from(generator):
            bound = self.bound(x, local_l_mean, local_l_var, batch_index, y)
            reconstruction, kl = bound.reconstruction.mean(), bound.kl.mean()
            loss = reconstruction + kl_weight * kl
            if labeled is None:
                return LossTerms(loss, reconstruction, kl, loss.new_zeros(()), None)
        with drawing_from(following(generator)):
            log_probs = self.log_classify(labeled[0])
        if soft is None:
            classification = -log_mass(log_probs, self._known(labeled[1])).mean()
        else:
            classification = _cross_entropy(soft, log_probs)
        if teacher is not None:
            log_q = bound.q.T.clamp_min(LEAST_SHARE).log()
            loss = loss + distillation_ratio * _cross_entropy(teacher, log_q)
        loss = loss + classification_ratio * classification
        return LossTerms(loss, reconstruction, kl, classification, log_probs)

    def _known(self, y: Tensor) -> Tensor:
        return known_labels(label_index(y, self.n_labels), self.allowed)

    def _label_posterior(self, z1: Tensor, index: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return q(y | z1) [n_labels, cells] and C [cells], given what is known of the labels."""
        log_q = self.log_q_y(z1)
        log_prior = self.log_prior().expand_as(log_q)
        if index is not None:
            known = known_labels(index, self.allowed)
            log_q, log_prior = restrict(log_q, known), restrict(log_prior, known)
        return log_q.exp().T, kl_categorical(log_q, log_prior)


def _cross_entropy(shares: Tensor, log_probs: Tensor) -> Tensor:
    return -(shares * log_probs).sum(1).mean()


def _classifier_layers(hidden: HiddenLayers, parameters: Mapping[str, Any]) -> HiddenLayers:
    """Return the layers of the classifier: `hidden` but for `parameters`, whose names are checked.

    `logits` is accepted, as other releases have it, and changes nothing: the classifier always
    returns logits, and what is public says itself whether it is normalized.
    """
    unknown = set(parameters) - {"n_layers", "n_hidden", "dropout_rate", "logits"}
    if unknown:
        what = f"classifier_parameters has {', '.join(sorted(unknown))}."
        raise SettingInvalid(what, "Use n_layers, n_hidden and dropout_rate only.")
    return replace(hidden, **{k: value for k, value in parameters.items() if k != "logits"})
