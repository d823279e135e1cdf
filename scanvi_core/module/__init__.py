"""The models: VAE, SCANVI and the parts of its loss."""

from scanvi_core.module.elbo import LossTerms
from scanvi_core.module.scanvi import SCANVI
from scanvi_core.module.vae import VAE

__all__ = ["SCANVI", "VAE", "LossTerms"]
