"""How long one training step takes, beside scvi-tools on the same counts and machine."""
