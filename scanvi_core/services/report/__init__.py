"""A report on a project: one page of HTML with everything on it, without scripts."""
