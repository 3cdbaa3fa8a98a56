"""The domain of ModelCycle: what each step of a model's life does, without the cloud around it.

The floors, from the ground (a file imports only from floors below it; import-linter holds that):
faults - spec - messages - ports (store, registry, bus, flows) - model - the steps - aws (the composition root).
"""
