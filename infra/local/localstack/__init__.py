"""LocalStack as a place: the same template, changed where LocalStack 4.14.0 needs it.

flatten      nested stacks written into their parent
adapt        what else of the translated template LocalStack takes otherwise
updates      changes that LocalStack leaves out of an update
place        up, down, status: what the command line and the tests call
environment  installs a LocalStack of our own, without Docker
process      starts and stops it
plugin/      what runs inside it: functions as processes, tables, partitions of Firehose
"""
