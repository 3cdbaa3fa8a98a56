"""The kinds of columns that bench/reading_columns.py generates: how their values are drawn and spelled."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2015, 1, 1, tzinfo=UTC)

Cell = tuple[str, Any]
"""A text and what it means."""

Draw = Callable[[], Cell]


def _spelled(value: float, places: int, thousands: str, mark: str) -> str:
    return f"{value:,.{places}f}".translate({ord(","): thousands, ord("."): mark})


def _wrapped(template: str) -> Callable[[str], str]:
    return lambda text: template.replace("{}", text)


def _integers(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    low, high = dice.choice([(0, 100), (-500, 500), (18, 90), (0, 10**6), (1000, 9000)])

    def draw() -> Cell:
        value = dice.randint(low, high)
        return str(value), float(value)

    return "number", "amount", draw


def _decimals(dice: random.Random, number: int, mark: str = ".") -> tuple[str, str, Draw]:
    places, scale = dice.randint(1, 5), 10 ** dice.randint(0, 5)

    def draw() -> Cell:
        value = float(f"{dice.gauss(0, 1) * scale:.{places}f}")
        return f"{value:.{places}f}".replace(".", mark), value

    return "number", "measure", draw


def _thousands(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    separators = [
        (",", "."), (".", ","), (" ", "."), (" ", ","), ("\u00a0", ","), ("\u202f", ","), ("'", "."), ("\u2019", "."),
    ]  # fmt: skip
    thousands, mark = separators[number % len(separators)]
    places = dice.choice([0, 2]) if thousands != "." else 2

    def draw() -> Cell:
        value = float(f"{dice.lognormvariate(8, 2):.{places}f}")
        return _spelled(value, places, thousands, mark), value

    return "number", "revenue", draw


def _percents(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    places, blank, mark = dice.randint(0, 2), dice.choice(["", " ", "\u00a0"]), dice.choice(".,")

    def draw() -> Cell:
        value = float(f"{dice.uniform(-20, 120):.{places}f}")
        return f"{value:.{places}f}".replace(".", mark) + blank + "%", value

    return "number", "share", draw


def _currency(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    write = _wrapped([
        "${}", "{} €", "EUR {}", "{} USD", "£{}", "CHF {}", "{} kr", "R$ {}",
    ][number % 8])  # fmt: skip
    thousands, mark = dice.choice([(",", "."), (".", ","), ("", "."), ("'", ".")])

    def draw() -> Cell:
        value = float(f"{dice.lognormvariate(6, 1.5):.2f}")
        return write(_spelled(value, 2, thousands, mark)), value

    return "number", "price", draw


def _negatives(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    write = _wrapped(["({})", "{}-", "\u2212{}"][number % 3])

    def draw() -> Cell:
        value = float(f"{dice.uniform(1, 900):.2f}")
        negative = dice.random() < 0.3
        return (write(f"{value:.2f}"), -value) if negative else (f"{value:.2f}", value)

    return "number", "balance", draw


def _measures(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    measures: list[tuple[str, Callable[[], int]]] = [
        ("bytes", lambda: dice.randint(0, 10**10)), ("revenue_cents", lambda: int(dice.lognormvariate(18, 1))),
        ("population", lambda: int(dice.lognormvariate(15, 1.5))), ("nanoseconds", lambda: dice.randint(10**6, 10**9)),
        ("distance", lambda: dice.randint(10**8, 9 * 10**8)),
    ]  # fmt: skip
    name, draw_value = measures[number % 5]

    def draw() -> Cell:
        value = draw_value()
        return str(value), float(value)

    return "number", name, draw


def _zip_codes(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    width = dice.choice([4, 5, 5, 6])
    codes = [f"{dice.randrange(10**width):0{width}d}" for _ in range(dice.choice([20, 80, 400]))]
    codes.append("0" + "".join(dice.choices(string.digits, k=width - 1)))

    def draw() -> Cell:
        text = codes[-1] if dice.random() < 0.1 else dice.choice(codes)
        return text, text

    return "text", "zip", draw


def _article_numbers(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    distinct, prefix = dice.choice([8, 24, 30]), dice.randint(10**8, 9 * 10**8)
    made: list[int] = [
        [_gtin(f"{prefix:09d}{n:03d}") for n in range(distinct)],
        [10**9 * 7 + prefix + n for n in range(distinct)],
        [2**60 + n for n in range(distinct)],
        [dice.randrange(2**63, 2**64) for _ in range(distinct)],
        [_gtin(f"{dice.randrange(10**12):012d}".replace("0", "4")) for _ in range(distinct)],
    ][number % 5]

    def draw() -> Cell:
        text = str(dice.choice(made))
        return text, text

    return "text", dice.choice(["article", "ean", "branch", "account"]), draw


def _gtin(digits: str) -> int:
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return int(digits + str(-weighted % 10))


def _dates(formats: list[str], name: str = "day") -> Callable[[random.Random, int], tuple[str, str, Draw]]:
    def made(dice: random.Random, number: int) -> tuple[str, str, Draw]:
        format_ = formats[number % len(formats)]
        first = [START + timedelta(days=12), START + timedelta(days=27)]  # a day above 12, so that it is unambiguous

        def draw() -> Cell:
            drawn = START + timedelta(seconds=dice.randrange(86400 * 3000))
            moment = first.pop() if first else drawn
            text = moment.strftime(format_)
            short = format_.replace("%Z", "UTC")
            whole = datetime.strptime(text.replace("+00", "UTC"), short.replace("+00", "UTC")).replace(tzinfo=UTC)
            if dice.random() < 0.5 and format_.startswith("%m/%d"):  # 1/31/24
                text = f"{moment.month}/{moment.day}/" + text.split("/", 2)[2]
            return text, whole.timestamp()

        return "datetime", name, draw

    return made


def _digit_dates(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    ways: list[tuple[str, Callable[[datetime], tuple[str, datetime]]]] = [
        ("booked", lambda moment: (moment.strftime("%Y%m%d"), moment.replace(hour=0, minute=0, second=0))),
        ("created_at", lambda moment: (f"{moment.timestamp():.0f}", moment)),
        ("event_time", lambda moment: (f"{moment.timestamp() * 1000:.0f}", moment)),
        ("x", lambda moment: (moment.strftime("%Y%m%d%H%M%S"), moment)),
        ("timestamp", lambda moment: (f"{moment.timestamp() * 1000:.0f}", moment)),
    ]  # fmt: skip
    name, write = ways[number % 5]

    def draw() -> Cell:
        text, moment = write(START + timedelta(seconds=dice.randrange(86400 * 3000)))
        return text, moment.timestamp()

    return "datetime", name, draw


def _clocks(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    format_ = ["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p"][number % 5]

    def draw() -> Cell:
        text = (START + timedelta(seconds=dice.randrange(86400))).strftime(format_)
        moment = datetime.strptime(text, format_)
        return text, float(moment.hour * 3600 + moment.minute * 60 + moment.second)

    return "number", "start", draw


def _durations(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    def draw() -> Cell:
        days, hours, minutes, seconds = (dice.randrange(top) for top in (9, 24, 60, 60))
        total = float(hours * 3600 + minutes * 60 + seconds)
        return [
            (f"{days} days {hours:02d}:{minutes:02d}:{seconds:02d}", total + days * 86400),
            (f"PT{hours}H{minutes}M{seconds}S", total),
            (f"{hours + 24 * days}:{minutes:02d}:{seconds:02d}", total + days * 86400),
            (f"{days} day, {hours}:{minutes:02d}:{seconds:02d}", total + days * 86400),
            (f"{hours}h {minutes}m", total - seconds),
        ][number % 5]

    return "number", "took", draw


def _booleans(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    pairs = [
        ("true", "false"),
        ("True", "False"),
        ("yes", "no"),
        ("Yes", "No"),
        ("Y", "N"),
        ("T", "F"),
        ("TRUE", "FALSE"),
    ]
    true, false = pairs[number % len(pairs)]

    def draw() -> Cell:
        value = dice.random() < 0.4
        return (true, 1.0) if value else (false, 0.0)

    return "boolean", "member", draw


def _categories(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    levels = [
        ["red", "green", "blue"], ["F", "N"], ["1", "2", "3", "K"], ["38", "40", "42", "S", "M", "L"],
        ["A+", "A", "A-", "B+"], ["Berlin", "Paris", "Rome", "Madrid", "Wien"], ["low", "medium", "high"],
        ["10A", "10B", "11A", "12"], ["<18", "18-30", "31-50", ">50"], ["Q1", "Q2", "Q3", "Q4"],
        ["85123A", "71053", "84406B", "22752", "21730"], ["Mon", "Tue", "Wed"], ["T", "N", "W"], ["1-3", "4-6", "7-9"],
        ["c1.2", "c1.3", "c2"],
    ][number % 15]  # fmt: skip

    def draw() -> Cell:
        text = dice.choice(levels)
        return text, text

    return "text", "group", draw


def _free_texts(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    words = "the a very good bad room was is 2 3 10 in May at 12:30 paid $5 street service 5% never nice"
    drawn = words.split()
    ways: list[Callable[[], str]] = [
        lambda: " ".join(dice.choices(drawn, k=dice.randint(4, 12))),
        lambda: f"{dice.randint(1, 200)} {dice.choice(['Main', 'Oak', 'High'])} Street",
        lambda: f"{dice.randrange(16**8):08x}-{dice.randrange(16**4):04x}",
        lambda: ".".join(str(dice.randrange(256)) for _ in range(4)),
        lambda: f"{dice.choice(['ab', 'cd', 'ef'])}{dice.randrange(10**5)}@example.com",
    ]
    way = ways[number % 5]

    def draw() -> Cell:
        text = way()
        return text, text

    return "text", "remark", draw


def _class_words(dice: random.Random, number: int) -> tuple[str, str, Draw]:
    levels = [["None", "Minor", "Severe"], ["NA", "EU", "ASIA"], ["none", "some", "all"], ["Unknown", "Known", "Both"]]
    chosen = levels[number % len(levels)]

    def draw() -> Cell:
        text = dice.choice(chosen)
        return text, text

    return "text", "target", draw


KINDS: dict[str, Callable[[random.Random, int], tuple[str, str, Draw]]] = {
    "integers": _integers, "decimals": _decimals,
    "decimal commas": lambda dice, number: _decimals(dice, number, ","), "thousands": _thousands,
    "per cent": _percents, "currency": _currency, "negatives": _negatives, "large measures": _measures,
    "zip codes": _zip_codes, "article numbers": _article_numbers,
    "dates of databases": _dates(
        ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S+00"]
    ),
    "dates of people": _dates(
        ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y/%m/%d"]
    ),
    "short years": _dates(["%m/%d/%y", "%d.%m.%y", "%d-%b-%y", "%d/%m/%y", "%m/%d/%y %H:%M"]),
    "bare digits": _digit_dates, "times of day": _clocks, "durations": _durations, "booleans": _booleans,
    "categories": _categories, "free text": _free_texts, "class words": _class_words,
}  # fmt: skip
NOISY = {*KINDS} - {"zip codes", "article numbers", "bare digits", "booleans", "categories", "free text", "class words"}
"""Kinds whose noise has words too; elsewhere a word may be a value."""
