"""Refuses in the local cloud what AWS would refuse; the figures are in `infra/local/quotas.py`.

    states              data of a state machine: 256 KiB; which errors a Catch of States.ALL does not catch
    histories           events of an execution: 25,000
    payloads            what a function is called with and what it answers: 6 MB, 1 MB for an asynchronous call
    api_payloads        requests to an API and answers of its functions
    function_settings   Timeout, MemorySize and EphemeralStorage within AWS's bounds
    sandboxes           ends a function that exceeds its MemorySize or its EphemeralStorage
    process_memory      what a process holds beyond what it shares with its fork server
    temporary_files     what a function has in its folder for temporary files
    ended_processes     the texts of AWS for a function that was ended

The 250 MiB of code and layers are checked where they are known: `infra/local/deployment/package_size.py`.
"""
