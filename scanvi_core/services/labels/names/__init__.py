"""What types are called: completed, matched to others' names and to the Cell Ontology."""
