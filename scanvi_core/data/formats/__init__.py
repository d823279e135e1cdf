"""Files of every kind but .h5ad: each becomes an .h5ad file in the project, which is then read.

One module per kind: 10x (:mod:`.tenx`), Matrix Market with its lists (:mod:`.mtx`), loom, tables
of text (:mod:`.delimited`), zarr, MuData, h5Seurat, R; :mod:`.recognize` tells them apart by
content. What a gene, a cell or a count is, is decided once the file is read, by
:mod:`scanvi_core.data.anndata_files`. Child process only.
"""
