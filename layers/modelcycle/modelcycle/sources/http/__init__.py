"""JSON and CSV APIs.

source          the pages of an API as files of rows
client          one GET: retries, time-outs, redirects, limits
addresses       where a request may go
secret_headers  what the secret adds to a request
unchanged       whether the answer has changed since the last pull
pages           from one page to the next
links           the Link header
decompress      answers that are gzip
json_page       the rows of a JSON answer
csv_page        the rows of a CSV answer
watermarks      which rows are new
row_files       files of rows
shape           whether the pages have the same columns
"""

from modelcycle.sources.http.source import HttpRows

__all__ = ["HttpRows"]
