"""Files and folders of a study directory, written and removed without following links."""
