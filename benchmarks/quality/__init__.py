"""Problems on which the methods are measured, and the simulation of a run."""
