"""From events to the labels they lead to, in memory: what each changes, and how it is packed."""
