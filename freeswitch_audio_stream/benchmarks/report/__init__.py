"""From figures to what a person reads: results, goals, tables, JSON and pictures."""
