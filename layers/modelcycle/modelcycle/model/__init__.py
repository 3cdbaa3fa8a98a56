"""What training and serving share: typed columns, the signature, scoring; and the pipeline builder and exporter."""
