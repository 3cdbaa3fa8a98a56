"""What Lambda charges, for estimates of the command line and of monitoring.

The list price of us-east-1 for x86, first tier; read on the day that `cli/costs/prices.yaml` names.
"""

GB_SECOND = 0.0000166667  # dollars; https://aws.amazon.com/lambda/pricing/
CALL = 0.20 / 1_000_000  # dollars
MB_IN_GB = 1024  # as Lambda bills memory


def dollars(gb_seconds: float, calls: float) -> float:
    """Return the price of calls.

    >>> round(dollars(gb_seconds=1000, calls=1_000_000), 4)
    0.2167
    """
    return gb_seconds * GB_SECOND + calls * CALL
