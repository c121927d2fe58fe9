"""fivefold: hyper-parameter optimisation by six methods, in parallel on Ray, compared fairly."""
