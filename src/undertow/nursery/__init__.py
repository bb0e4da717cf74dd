"""The nursery: a miniature world, the base pretrained on it, and a judge of its answers."""
