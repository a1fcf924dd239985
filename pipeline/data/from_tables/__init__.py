"""Tables of other programs read into prepared data sets."""
