"""How good predictions are, and what a latent space keeps and mixes."""
