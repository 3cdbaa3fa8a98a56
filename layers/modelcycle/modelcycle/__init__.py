"""The domain of ModelCycle: what each step of a model's lifecycle does, without the cloud around it.

The floors, from the lowest (a file imports only from floors below its own; import-linter checks it): faults - spec -
reading - messages - ports (store, registry, bus, flows) - model - the steps - aws (the composition root).
"""
