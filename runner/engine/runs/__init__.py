"""Runs by ask and tell: proposals, budgets and the order in which a method sees its results."""
