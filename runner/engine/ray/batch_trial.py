"""A Tune trial that is one bundle, without what Tune does per trial and nobody needs here.

For each of its trials Tune looks the trainable up in Ray's key-value store three times, makes a
folder, asks the actor for its address, and writes its state as JSON: together more than the rest of
what a trial costs the driver. What is overridden here is Tune's internal interface; the version of
Ray is pinned to one minor release, and the tests of the engine run through all of it.
"""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial

_FOLDER = "bundles"


class BundleTrial(Trial):
    """One bundle on its way.

    Parameters
    ----------
    name : str
        Of the trainable.
    lane : type
        The trainable itself.
    text : str
        What the lane is to do.
    storage, resources
        As Tune gives them.
    thoughts : bool
        Whether these are questions, and not configs.

    Attributes
    ----------
    actor : str
        The lane that has it, or had it, by Ray's number.
    thoughts : bool
        See above.
    """

    def __init__(
        self, name: str, lane: type, text: str, storage: Any, resources: Any, thoughts: bool
    ) -> None:
        self._lane = lane
        self.actor, self.thoughts = "", thoughts
        super().__init__(
            name,
            config={"thoughts" if thoughts else "tasks": text},
            storage=storage,
            placement_group_factory=resources,
            stub=True,  # the trainable is not looked up
        )
        self.config["bundle"] = self.trial_id

    def get_trainable_cls(self) -> type:
        """The lane; Tune would fetch and unpickle it."""
        return self._lane

    def create_placement_group_factory(self) -> None:
        """All bundles share one; equal ones are compared again and again."""
        self.placement_group_factory = self._default_placement_group_factory

    def init_local_path(self) -> None:
        """One folder for all of them: only what Tune writes of an error goes there."""
        if not self.storage.trial_dir_name:
            self.relative_logdir = self.storage.trial_dir_name = _FOLDER

    def set_ray_actor(self, ray_actor: Any) -> None:
        """Without asking the actor where it is; its number stays when Tune takes it away."""
        self.temporary_state.ray_actor = ray_actor
        if ray_actor is not None:
            self.actor = ray_actor._actor_id.hex()

    def get_json_state(self) -> str:
        """Nothing: the journal is the truth, and Tune's snapshots are never read."""
        return "{}"

    def handle_error(self, exc: Exception | None = None) -> None:
        """Only that it failed; Tune would write the traceback to files."""
        del exc
        self.run_metadata.num_failures += 1

    def forget(self) -> None:
        """Let go of what the bundle held; Tune keeps its trials to the end."""
        self.config.clear()
        self.run_metadata.last_result.pop("report", None)
