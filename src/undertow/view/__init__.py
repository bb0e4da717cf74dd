"""The local page over runs: every answer, what is known of it, and labels, while a run goes on and after it.

page/         what the browser gets: HTML, CSS and modules of JavaScript as they are written, no build step
search.py     the words of answers, to search in       index.py    a run's answers as columns
run.py        one run: its record, store and index     query.py    filters, order and pages over several
live.py       how a run goes                           detail.py   all that is known of one answer
sitting.py    labelling in the page                    site.py     what each address answers
server.py     127.0.0.1, a token, and nothing else
"""
