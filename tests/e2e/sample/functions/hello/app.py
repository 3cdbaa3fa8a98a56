"""Answers what a test asks: what a function finds in its environment, and what it may do."""

import os


class Unwell(Exception):
    pass


def handler(event, context):
    ask = event.get("ask") if isinstance(event, dict) else None
    if ask == "environment":
        return dict(os.environ)
    if ask == "raise":
        raise Unwell("as asked")
    if ask == "import":
        __import__(event["module"])
        return event["module"]
    if ask == "put":
        import boto3

        boto3.client("s3").put_object(Bucket=os.environ["DATA"], Key="k", Body=b"v")
    if ask == "get":
        import boto3

        return boto3.client("s3").get_object(Bucket=os.environ["DATA"], Key=event["key"])["Body"].read().decode()
    from pure import greeting

    return {"statusCode": 200, "body": greeting()}
