"""A version as a folder of MLflow: its graph with one input for each column, and what `mlflow.pyfunc` asks for.

MLflow gives each column of a data frame to the input of its name, as an array of one dimension, and flattens each
output into a column (module `mlflow.onnx`, class `_OnnxModelWrapper`). So the copy of the graph has inputs of rank 1
that are named like the columns, and computes by itself what `predict` computes before and after the graph.
"""

from cli.mlflow_model.write import write_mlflow_model

__all__ = ["write_mlflow_model"]
