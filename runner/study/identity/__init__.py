"""Identity of a study: the facts that must stay equal for its trials to be continued."""
