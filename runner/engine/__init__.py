"""The engine: evaluates the trials of a study, on Ray Tune or in this process.

==================  =====================================================================
messages, codec     batches, reports and proposal requests; their form as text
batching            batch sizes
cache               outcomes shared by the runs of a block
early_stopping      rules that stop hopeless trials
monitor             callbacks for study events
local               the engine without Ray
session             the Ray of one command
post_run            held-out tests and probes after the runs
supervisor          parent process of the command
runs/               runs by ask and tell, and the table of a study's runs
dispatch/           selection of the next trials, and recovery from lost workers
worker/             evaluation, proposals and limits in the worker process
ray/                everything that imports Ray
==================  =====================================================================

`docs/trial.md` follows one trial through these modules.
"""
