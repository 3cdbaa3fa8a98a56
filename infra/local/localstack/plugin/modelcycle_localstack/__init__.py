"""What LocalStack 4.14.0 lacks without Docker and downloads.

__main__    starts LocalStack on loopback only
executor    a function's environment is a process on this machine
runtime     the Lambda Runtime API, from which that process takes its work
tables      DynamoDB and its streams, by moto: DynamoDB Local would have to be downloaded, and needs Java
partitions  Firehose writes the lines of each partition apart
deletions   S3 deletes an object on the condition that it is still the same
"""
