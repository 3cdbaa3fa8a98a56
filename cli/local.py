"""`up`, `down`, `status`: the local cloud, and the health of any place."""

from __future__ import annotations

from collections.abc import Mapping

from cli import console, place, remote
from cli.interrupted_rollouts import InterruptedRollout, look_at_each, rollouts_among
from cli.options import Options
from cli.sam_files import write_sam_files
from cli.screens import status as screen
from modelcycle.faults import BadInput, Fault


def up(port: int | None, start: bool, options: Options) -> int:
    """Start the place, deploy what has changed, and print its address; return the exit status."""
    place.not_on_aws(options.place, "up")
    if options.place == "localstack":
        remote.deploy_localstack(options.stage, start=start, port=port, say=console.say)
        started = options.open_place()
    elif start:
        raise BadInput("the local cloud is always started", "--start", "leave it out, or add --place localstack")
    else:
        started = options.open_place(start=True, port=port)
        write_sam_files(started)
    if options.as_json:
        console.print_json({"place": options.place, "endpoint": started.endpoint, "outputs": started.outputs})
    else:
        console.show(screen.started_text(started))
    return console.DONE


def down(force: bool, options: Options) -> int:
    """Stop the place and print what it interrupted and lost; return the exit status."""
    from infra.local import cloud

    place.not_on_aws(options.place, "down")
    if options.place == "localstack":
        return _down_localstack(options)
    rollouts = _rollouts_in_progress(options)
    stopped = cloud.down(home=place.home(), force=force)
    if options.as_json:
        console.print_json(
            {"place": options.place, "was_up": stopped.was_up, "cut_off": stopped.interrupted, "lost": stopped.lost}
        )
    else:
        console.show(screen.stopped_text(stopped, rollouts))
    return console.FAILED if stopped.lost else console.DONE


def _rollouts_in_progress(options: Options) -> Mapping[str, InterruptedRollout]:
    """Return the rollouts that a stop interrupts; none if the cloud does not answer: it is stopped all the same."""
    from botocore.exceptions import BotoCoreError, ClientError

    from infra.local import cloud

    try:
        names = rollouts_among(cloud.status(home=place.home()).executions)
        return look_at_each(options.open_place().registry, names) if names else {}
    except (Fault, BotoCoreError, ClientError):
        return {}


def _down_localstack(options: Options) -> int:
    """Stop the LocalStack that `up` has started; one that it has not started is left as it is."""
    was_up = remote.stop_localstack()
    if options.as_json:
        console.print_json({"place": options.place, "was_up": was_up})
    else:
        console.show(screen.stopped_localstack_text(was_up))
    return console.DONE


def status(options: Options) -> int:
    """Print the health of a place; return the exit status, 1 if it has a problem."""
    from cli.health.check import check_health

    health = check_health(options.place, options.stage)
    if options.as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.health_text(health))
    return console.FAILED if health.problems else console.DONE
