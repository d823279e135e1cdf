"""Files of every kind but .h5ad: each becomes an .h5ad file in the project, which is then read.

One module per kind: 10x (:mod:`.tenx`, :mod:`.mtx`), loom, tables of text (:mod:`.delimited`),
zarr, MuData; :mod:`.recognize` tells them apart by content. Child process only, but for
:mod:`.question`.
"""
