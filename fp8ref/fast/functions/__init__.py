"""Elementary functions on arrays: tables of the specification's stand-ins, made once and kept on disk."""
