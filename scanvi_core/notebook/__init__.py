"""The program from a notebook or a script: `annotate` and `launch`, on an AnnData in memory."""
