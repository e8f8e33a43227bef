"""Explanations graded against the truth: what objects of synthetic rooms do to the prediction is known."""
