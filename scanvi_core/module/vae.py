"""The variational autoencoder of counts (scVI), and what SCANVI shares with it."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from scanvi_core.config import DISPERSIONS, LIKELIHOODS
from scanvi_core.data.normalization import TARGET_SUM
from scanvi_core.distributions.divergences import kl_gaussian, kl_standard_gaussian
from scanvi_core.distributions.fused import Positive, log_likelihood
from scanvi_core.distributions.negative_binomial import nb_log_prob, zinb_log_prob
from scanvi_core.errors import SettingInvalid
from scanvi_core.nn.layers import Dropout, HiddenLayers, draw_weights, one_hot
from scanvi_core.nn.networks import VARIANCE_FLOOR, Decoded, Decoder, Encoder, Gaussian
from scanvi_core.nn.noise import normal_like
from scanvi_core.nn.sparse import (
    Counts,
    SparseRows,
    dense,
    fastest_form,
    on_entries,
    scale_rows,
    total,
)

ENCODER_INPUTS = ("log1p", "log_normalized")
LOG_R_BOUND = 11.0  # theta stays within e±11: nothing is learned from a gene beyond


class VAE(nn.Module):
    """A latent state z of each cell, decoded to its counts.

    Parameters
    ----------
    n_input
        Number of genes.
    n_batch, n_labels
        Number of batches, and of labels (used by the dispersion ``gene-label`` only).
    n_hidden, n_latent, n_layers, dropout_rate
        Width of the hidden layers, size of z, hidden layers, share of hidden units silenced.
    dispersion
        What the inverse dispersion varies with: ``gene``, ``gene-batch``, ``gene-label`` or
        ``gene-cell``.
    log_variational
        Feed log(1 + counts) to the encoders, else the counts.
    reconstruction_loss
        ``nb`` or ``zinb``.
    use_observed_lib_size
        Take the total of each cell as its library size; else it is latent, with a prior per cell.
    encoder_input
        ``log1p``, or ``log_normalized`` for log(1 + counts / total · 10⁴).
    input_dropout_rate
        Share of genes hidden from the encoder of z while training.
    use_layer_norm
        Layer norm in place of batch norm.
    parity
        Keep the published numerics: epsilons inside the likelihood, dispersion without bounds,
        variances without a floor.

    Raises
    ------
    SettingInvalid
        If a setting has a value that cannot work.

    References
    ----------
    Lopez, Regier, Cole, Jordan and Yosef, Deep generative modeling for single-cell
    transcriptomics, Nature Methods 2018.
    """

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
        *,
        use_observed_lib_size: bool = False,
        encoder_input: str = "log1p",
        input_dropout_rate: float = 0.0,
        use_layer_norm: bool = False,
        parity: bool = False,
    ) -> None:
        super().__init__()
        _check_choice("dispersion", dispersion, DISPERSIONS)
        _check_choice("reconstruction_loss", reconstruction_loss, LIKELIHOODS)
        _check_choice("encoder_input", encoder_input, ENCODER_INPUTS)
        self.n_input, self.n_batch, self.n_labels = n_input, n_batch, n_labels
        self.n_latent = n_latent
        self.dispersion, self.log_variational = dispersion, log_variational
        self.reconstruction_loss, self.encoder_input = reconstruction_loss, encoder_input
        self.use_observed_lib_size, self.parity = use_observed_lib_size, parity
        self.hidden = HiddenLayers(n_layers, n_hidden, dropout_rate, use_layer_norm)
        self.input_dropout = Dropout(input_dropout_rate)
        self._build()

    def _build(self) -> None:
        """Make the networks and, unless the decoder has a head for it, the dispersion."""
        self.z_encoder = Encoder(self.n_input, self.n_latent, self.hidden)
        if not self.use_observed_lib_size:
            self.l_encoder = Encoder(self.n_input, 1, replace(self.hidden, n_layers=1))
        self.decoder = Decoder(
            self.n_latent,
            self.n_input,
            self.hidden,
            self.n_batch,
            r_per_cell=self.dispersion == "gene-cell",
            zero_inflated=self.reconstruction_loss == "zinb",
        )
        if self.dispersion == "gene-label" and self.n_labels < 1:
            raise SettingInvalid(
                "The dispersion is gene-label, but there are no labels.",
                "Choose the dispersion gene, or name some cells first.",
            )
        shape = {
            "gene": (self.n_input,),
            "gene-batch": (self.n_input, max(self.n_batch, 1)),
            "gene-label": (self.n_input, self.n_labels),
        }
        if self.dispersion in shape:
            self.px_r = nn.Parameter(torch.randn(shape[self.dispersion]))

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.parameters()).device

    def draw_parameters(self, generator: torch.Generator | None) -> None:
        """Draw the initial weights anew from `generator`, by the rules they are made with."""
        draw_weights(self, generator)
        if hasattr(self, "px_r"):
            with torch.no_grad():
                self.px_r.normal_(generator=generator)

    def draw(self, q: Gaussian) -> Tensor:
        """Return one reparametrized draw, mean + √var · ε."""
        return q.mean + q.var.sqrt() * normal_like(q.mean)

    def encode(self, x: Counts) -> Gaussian:
        """Return q(z|x), [cells, n_latent], of counts `x` [cells, genes]."""
        x = fastest_form(x)
        if self.encoder_input == "log_normalized":
            sums = total(x)
            # A cell without counts stays a row of zeros.
            x = scale_rows(x, TARGET_SUM / sums.masked_fill(sums == 0, 1.0))
            h = on_entries(torch.log1p, x)
        else:
            h = self._variational_input(x)
        return self.z_encoder(on_entries(self.input_dropout, h))

    def encode_library(self, x: Counts) -> Gaussian:
        """Return q(l|x) of a latent log library size, [cells, 1]."""
        # It reads the counts themselves: normalized ones no longer tell the total.
        return self.l_encoder(self._variational_input(fastest_form(x)))

    def library(
        self, x: Counts, local_l_mean: Tensor | None, local_l_var: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the log library size [cells, 1] (a draw if latent) and its KL term L [cells].

        Raises
        ------
        SettingInvalid
            If the library size is latent and its prior is missing.
        """
        if self.use_observed_lib_size:
            sums = total(x)
            return torch.log(sums), sums.new_zeros(len(sums))
        if local_l_mean is None or local_l_var is None:
            raise SettingInvalid(
                "The library size is latent, but local_l_mean or local_l_var is missing.",
                "Give mean and variance of the log totals of each cell's batch, or set"
                " use_observed_lib_size=True.",
            )
        q = self.encode_library(x)
        prior_mean, prior_var = local_l_mean.reshape(-1, 1), local_l_var.reshape(-1, 1)
        if not self.parity:
            # A batch whose totals are all equal would make the divergence infinite.
            prior_var = prior_var.clamp_min(VARIANCE_FLOOR)
        return self.draw(q), kl_gaussian(q.mean, q.var, prior_mean, prior_var)

    def decode(self, z: Tensor, library: Tensor, batch_index: Tensor | None) -> Decoded:
        """Decode `z` [cells, n_latent] at log library sizes [cells, 1]."""
        return self.decoder(z, library, batch_index)

    def theta(
        self, decoded: Decoded, batch_index: Tensor | None, y: Tensor | int | None = None
    ) -> Tensor:
        """Return the inverse dispersion, [genes] or [cells, genes].

        `y` is an index of labels [cells], or one label for all; used by ``gene-label`` only.
        """
        if decoded.r is not None:
            return self._inverse_dispersion(decoded.r)
        table = self._inverse_dispersion(self.px_r)
        if self.dispersion == "gene":
            return table
        if self.dispersion == "gene-batch":
            if self.n_batch <= 1:
                return table[:, 0]
            return one_hot(batch_index, self.n_batch, table.dtype) @ table.T
        if y is None:
            raise SettingInvalid(
                "The dispersion is gene-label, but the label of the cells is missing.",
                "Pass y, or choose the dispersion gene.",
            )
        return table.T[y]

    def negative_log_likelihood(self, x: Counts, decoded: Decoded, theta: Tensor) -> Tensor:
        """Return −Σ_g log p(x_g), [cells]."""
        zi_logits = decoded.zi_logits
        if not self.parity:
            counted = Positive(x.values, x.positions) if isinstance(x, SparseRows) else x
            return -log_likelihood(counted, decoded.log_rate, theta, zi_logits)
        rate, counts = decoded.rate, dense(x)
        if zi_logits is None:
            return -nb_log_prob(counts, rate, theta, parity=True).sum(-1)
        return -zinb_log_prob(counts, rate, theta, zi_logits, parity=True).sum(-1)

    def get_latents(self, x: Counts, y: Tensor | None = None) -> list[Tensor]:  # noqa: ARG002  (SCANVI needs the labels)
        """Return the posterior means of the latent states, here [z]."""
        return [self.encode(x).mean]

    def forward(
        self,
        x: Counts,
        local_l_mean: Tensor | None = None,
        local_l_var: Tensor | None = None,
        batch_index: Tensor | None = None,
        y: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, float]:
        """Return the negative bound of each cell in two parts: (R + L, KL of z), and 0.

        Parameters
        ----------
        x
            Counts [cells, genes], dense or as sparse rows.
        local_l_mean, local_l_var
            Prior of the log library size [cells, 1]; needed if it is latent.
        batch_index
            Batch of each cell, index [cells(, 1)] or one-hot.
        y
            Label of each cell, index [cells(, 1)]; needed by the dispersion ``gene-label``.
        """
        x = fastest_form(x)
        q = self.encode(x)
        z = self.draw(q)
        library, L = self.library(x, local_l_mean, local_l_var)
        decoded = self.decode(z, library, batch_index)
        theta = self.theta(decoded, batch_index, None if y is None else y.reshape(-1).long())
        R = self.negative_log_likelihood(x, decoded, theta)
        return R + L, kl_standard_gaussian(*q), 0.0

    def _variational_input(self, x: Counts) -> Counts:
        return on_entries(torch.log1p, x) if self.log_variational else x

    def _inverse_dispersion(self, r: Tensor) -> Tensor:
        """Return exp(r), with r bounded smoothly: under-dispersed genes push it up for ever."""
        return torch.exp(r if self.parity else LOG_R_BOUND * torch.tanh(r / LOG_R_BOUND))


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SettingInvalid(f"{name} is {value!r}.", f"Choose one of {', '.join(choices)}.")
