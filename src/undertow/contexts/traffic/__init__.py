"""A log of requests -> questions that stand for it, with weights, and contexts of what is common in it.

read.py     a log in anybody's form -> requests, masked as they are read; what cannot be asked is counted by reason
mask.py     personal details and secrets -> placeholders
shapes.py   what requests have in common: system prompts, openings and endings, formats
cluster.py  requests -> clusters, by shape and then by likeness of words
draw.py     so many of each cluster, at random; each stands for its weight
found.py    what is common, as contexts with their share
write.py    all of it as files
"""

from undertow.contexts.traffic.draw import Sample, sample
from undertow.contexts.traffic.found import Common, common
from undertow.contexts.traffic.read import Log, Request, read_log
from undertow.contexts.traffic.write import record, write_traffic

__all__ = ["Common", "Log", "Request", "Sample", "common", "read_log", "record", "sample", "write_traffic"]
