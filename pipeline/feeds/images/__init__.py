"""Encoded images to what a network takes: decoding, cropping and resizing, augmentation, scaling."""
