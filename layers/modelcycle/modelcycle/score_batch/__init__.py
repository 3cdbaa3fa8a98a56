"""Batch scoring: the rows of an object under score/{model}/, by the live version.

    plan_scoring    reads the object, as training reads its files, and writes typed shards
    score_shard     scores the rows of one shard
    finish_scoring  joins the scores to result files beside the object; the manifest is the last one
    record_failure  says beside the object why there are no results

The functions are imported from their own files: the one that scores has no DuckDB.
"""
