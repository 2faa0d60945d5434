"""The pages on which raters judge, and those of the person who runs them."""
