"""From what a model says to a number: the grammar of answers, the parser, and what reads which kind of question."""
