"""Ground floor: errors, parameters, purged splits, parallel maps and statistics."""
