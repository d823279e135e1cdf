"""The Cell Ontology: names of cell types with their ids, shipped with the program."""
