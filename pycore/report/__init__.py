"""What happened in a study, on one page: `pycore report`.

`study` collects what is known of every game, one game at a time; `series` makes curves of what a participant's record
has by the second, thin enough to be drawn; `findings` says what one should know first; `drawing` has the bars and
strips, as SVG; `page` puts all of it into one HTML file that needs no network; `figures` draws for a paper.
"""
