"""Figures for print, drawn by matplotlib from plain data."""
