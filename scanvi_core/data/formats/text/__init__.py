"""Tables of counts written as text, with cells in rows or in columns."""
