"""Deploys to AWS and takes away again: what `make deploy` and `make destroy` run.

`deploy` and `destroy` are the two commands. Each other file has one subject: who deploys and where (`account`), the
template's parameters (`settings`), what is built (`source`), what CloudFormation says (`stack`), data that outlived a
stack (`existing_data`) and their settings (`existing_settings`), the events of a new bucket (`bucket_events`), what a
stack leaves behind (`left_behind`), versioned buckets (`emptying`).
"""
