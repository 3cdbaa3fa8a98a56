"""The embedded cloud: the whole template on a laptop, without Docker and without an account.

`cloud` is its face; the others are its rooms.

    cloud       up, down, status, connect
    launcher    the process: MiniStack in an environment of its own
    guard       keeps browsers out of it
    keeper      saves it every two seconds, and stops idle functions
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
