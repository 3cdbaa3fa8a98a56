"""The embedded cloud: the whole template on a laptop, without Docker and without an account.

`cloud` is its face; the others are its rooms.

    cloud       up, down, status, connect
    launcher    the process: MiniStack in an environment of its own
    guard       keeps browsers out of it
    root_key    its root: a key of its own, and no other
    keeper      saves it every two seconds where something has changed
    snapshot    the services' files: a whole set, written where another
    objects     files of S3 that could not be written, tried again
    streams     what a table's stream has not handed on, over a restart
    deliveries  events on their way to a function, and the ends of executions that a stop cut off
    captures    what Firehose was given, many records an object
    bounds      what would grow for ever
    processes   of functions: counted, and stopped when idle
    lost_runs   ends runs whose execution is gone
    mends       what else is put right inside the emulator
    emulator    starts, finds and stops that process
    package     layers to folders, functions to zips, one hash of it all
    translate   the SAM template to what CloudFormation takes here
    left_out    what the emulator refuses, left out and named
    deploy      the stack, created or updated
    settle      what CloudFormation dropped, set and read back
    settings    which properties that holds for, and how the API says them
    intrinsics  what the template's Ref, Sub and If come to
    operator    the IAM user that the command line acts as
    clients     the one factory of clients
    faults      what can go wrong, each with a remedy
"""
