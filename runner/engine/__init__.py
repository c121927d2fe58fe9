"""The engine on Ray Tune: workers that work through batches, the scheduler and the deadlines.

=================  =====================================================================
tuning.py          one Tune experiment that evaluates all that a dispatcher has to give
watch.py           kills late workers, counts the workers, ends the experiment
growth.py          what a cluster could add, and how it is asked for it
packed_files.py         the study's files and modules on their way to other nodes
trainable.py       the worker: one worker process, which must start fast
early_stopping.py  whether a trial is to be stopped, by Ray Tune's rules
=================  =====================================================================
"""
