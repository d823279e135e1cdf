"""HDF5 files that are no AnnData, or one that has to be turned round."""
