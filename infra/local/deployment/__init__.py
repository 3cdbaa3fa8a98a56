"""From the SAM template to a deployed stack.

deploy             the whole sequence
translate          the SAM template to what CloudFormation accepts here
layers             installs the packages of a layer into a folder
function_archive   the zip of a function, with the script that starts it
code_hash          one hash of many source files
left_out           removes and names the resources that the emulator refuses
stack              creates or updates the stack through CloudFormation
reconcile          sets the properties that CloudFormation dropped, and reads all back
properties         which properties these are, and how the API reads and sets them
intrinsics         the values of Ref, Sub, If ... in the deployed template
operator_user      the IAM user of the command line
deployment_record  what was deployed last
"""
