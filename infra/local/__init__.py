"""The embedded cloud: the whole template on a laptop, without Docker and without an account.

`cloud` is its face; the others are its rooms.

launcher    the process: MiniStack in an environment of its own
    guard       keeps browsers out of it
    keeper      saves it every two seconds, and stops idle functions
emulator    starts, finds and stops that process
package     layers to folders, functions to zips, one hash of it all
translate   the SAM template to what CloudFormation takes here
deploy      the stack, created or updated
settle      what CloudFormation dropped, set and read back
operator    the IAM user that the command line acts as
clients     the one factory of clients
cloud       the face: up, down, status, connect
faults      what can go wrong, each with a remedy
"""
