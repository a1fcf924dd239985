"""Preparing tiny image data sets."""

import pytest
from image_files import stored

from d2ace.pipeline.data.from_images import prepare_images
from d2ace.pipeline.data.verification import verify


@pytest.fixture
def prepared(tmp_path):
    """Prepare quietly into a folder that is free, check it, and return the manifest with the rows."""

    def call(source, **options):
        manifest = prepare_images(source, tmp_path / "out" / "set", quiet=True, **options)
        verify(manifest)
        return manifest, stored(manifest)

    return call
