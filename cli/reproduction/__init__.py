"""Makes a version again from its lineage, in processes that see a step's layers and nothing else.

source_files     fetches the data and the pipeline file, and checks their hashes
environment      runs a process with the layers of a function
folder_store     the buckets of that process: folders
no_registry      its registry, which keeps nothing
rows_again       in the process: collect and preprocess
model_again      in the process: engineer_features, and the recipe fitted again
comparison       what came out the same
"""
