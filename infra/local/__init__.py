"""The local cloud: the whole template on a laptop, without Docker and without an AWS account.

cloud        up, down, status, connect: what the command line and the tests call
emulator/    the process of the emulator (MiniStack): how it starts and stops, and what runs inside it
deployment/  from the SAM template to a deployed stack whose properties are checked
localstack/  the same template on LocalStack, another place
invocation/  one function by itself, and the files for `sam local`
lost_runs    ends runs whose execution no longer exists
lock         of a folder: one command at a time
clients      creates all boto3 clients
keys         access keys, in files that only their owner can read
ports        a port that nothing listens on
process_end  ends a process
quotas       the limits of AWS
uv           installs the packages of a lock
faults       what can go wrong, each with a remedy
"""
