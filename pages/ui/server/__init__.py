"""The routes and doors of the server below the pages: who may speak to it, signing in, files."""
