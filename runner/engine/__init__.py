"""The engine on Ray Tune: lanes that work through bundles, the scheduler and the deadlines.

=================  =====================================================================
tuning.py          one Tune experiment that evaluates all that a dispatcher has to give
watch.py           kills late lanes, counts the lanes, ends the experiment
growth.py          what a cluster could add, and how it is asked for it
luggage.py         the study's files and modules on their way to other nodes
trainable.py       the lane: one worker process, which must start fast
early_stopping.py  whether a trial is to be stopped, by Ray Tune's rules
=================  =====================================================================
"""
