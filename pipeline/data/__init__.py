"""From files to rows: formats, shards with their manifest, zero-copy gathering, images, scaling, splits."""
