"""Files of every kind but .h5ad: each becomes an .h5ad file in the project, which is then read.

One module per kind: tables of text in :mod:`.text`, Matrix Market with its lists in
:mod:`.matrices`, 10x, loom, MuData and h5Seurat in :mod:`.hdf5`, R in :mod:`.r`;
:mod:`.recognize` tells them apart by content. What a gene, a cell or a count is, is decided once
the file is read, by :mod:`scanvi_core.data.anndata_files`. Child process only.
"""
