"""The process of the emulator (MiniStack), from outside and from inside.

From outside, called by the command line:

    process             starts and stops it
    status              asks it for its status, and to save its state
    pid_file            its process id and port
    environment         its environment variables, and the files in its folder

Inside it:

    launcher            builds it from the modules below and runs it
    request_guard       refuses browsers
    root_access         makes the cloud's own key the only root
    patches             small corrections of MiniStack
    state_saver         saves the state two seconds after a change
    state_snapshot      the files of the services, replaced as one set
    unwritten_objects   retries files of S3 objects that could not be written
    stream_records      keeps unread records of table streams over a restart
    event_deliveries    retries events for functions; reports executions that a stop interrupted
    firehose_buffer     writes the records of Firehose together
    used_permissions    notes which permission of a role each call has used
    memory_bounds       limits what would grow without end
    limits              refuses what AWS would refuse: sizes, times, memory
    fork_servers        processes of which those of functions are forks
    function_processes  counts the processes of functions, and stops idle ones

Those that change MiniStack use names that are private to it; `pyproject.toml` pins the version for which they hold.
"""
