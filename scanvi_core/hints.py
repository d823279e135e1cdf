"""What to do next, where several errors end in the same advice."""

FETCH_AGAIN = "Download or copy the file again and compare its size with the source."
CHECK_NAME = "Check the name and the folder."
SMALLER_FILE = "Close other programs, use a larger machine, or keep fewer genes in the file."
MORE_MEMORY = "Close other programs, or use a larger machine."
LABELS_AS_CSV = "Export the labels as CSV, or save the data as .h5ad anew and load that."
FREE_SPACE = "Free some disk space, or check who may write to the project folder."
