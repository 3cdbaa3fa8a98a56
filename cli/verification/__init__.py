"""What `verify` checks: records, the chain of audit entries, objects, compacted captures, seals."""
