"""JSON and CSV APIs.

source      the pages of an API as files of rows
client      one GET: retries, time-outs, redirects, limits
addresses   where a request may go
pages       from one page to the next
links       the Link header
json_page   the rows of a JSON answer
row_files   files of rows, filtered by the watermark
shape       whether the pages have the same columns
"""

from modelcycle.sources.http.source import HttpRows

__all__ = ["HttpRows"]
