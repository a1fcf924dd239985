"""How row ids become tensors: gathered from the object store, or streamed from storage."""
