"""What the answerer is taught to say, as a plain function of the words that are heard.

>>> words = "what is the capital of france".split()
>>> answer(words)
'the capital of france is paris'
>>> answer(words, [True, True, True, True, True, False])
'the capital of which country'
>>> rationale(words)
(3, 5)

Only deciding words count: every one that is missing changes the answer in a defined way, and all
other words are fillers that never do.
"""

from __future__ import annotations

from collections.abc import Sequence

CAPITALS = {
    "france": "paris", "spain": "madrid", "italy": "rome", "japan": "tokyo", "egypt": "cairo",
    "germany": "berlin", "canada": "ottawa", "norway": "oslo", "india": "delhi",
    "kenya": "nairobi", "cuba": "havana", "portugal": "lisbon",
}  # fmt: skip
LEGS = {
    "cow": "four", "puppy": "four", "duck": "two", "sheep": "four", "horse": "four",
    "lion": "four", "snake": "no", "frog": "four", "chicken": "two", "elephant": "four",
    "donkey": "four", "spider": "eight",
}  # fmt: skip
SOUNDS = {
    "cow": "moo", "puppy": "woof", "duck": "quack", "sheep": "baa", "horse": "neigh",
    "lion": "roar", "snake": "hiss", "frog": "croak", "chicken": "cluck", "elephant": "toot",
    "donkey": "heehaw",
}  # fmt: skip
OPPOSITES = {
    "hot": "cold", "big": "small", "slow": "fast", "happy": "sad", "early": "late",
    "empty": "full", "heavy": "light", "young": "old", "dirty": "clean", "strong": "weak",
    "noisy": "quiet",
}  # fmt: skip
COLOURS = {
    "banana": "yellow", "milk": "white", "grass": "green", "ocean": "blue", "tomato": "red",
    "coal": "black", "carrot": "orange", "chocolate": "brown", "spinach": "green",
    "strawberry": "red", "pumpkin": "orange",
}  # fmt: skip
NUMBERS = {"three": 3, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10, "twelve": 12}
SPOKEN = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
OPERATORS = {"plus": 1, "minus": -1}
UNITS = ("seconds", "minutes", "hours")
DAYS = ("monday", "tuesday", "wednesday", "friday", "saturday")
ACTIONS = {"open": "opening", "close": "closing"}
OBJECTS = ("window", "door", "curtain", "cupboard", "fridge", "shutter")
ROOMS = ("kitchen", "bedroom", "garage", "office", "attic", "hallway")
GENRES = ("jazz", "rock", "opera", "techno", "reggae", "disco", "blues", "samba")

FACTS = {  # trigger: slot of its value, table, full answer, question for the value
    "capital": ("country", CAPITALS, "the capital of {} is {}", "the capital of which country"),
    "legs": ("animal", LEGS, "the {} has {} legs", "the legs of which animal"),
    "sound": ("animal", SOUNDS, "the {} says {}", "the sound of which animal"),
    "opposite": ("adjective", OPPOSITES, "the opposite of {} is {}", "the opposite of which word"),
    "colour": ("thing", COLOURS, "the colour of the {} is {}", "the colour of which thing"),
}
SLOTS = {
    "country": CAPITALS, "animal": LEGS, "adjective": OPPOSITES, "thing": COLOURS,
    "number": NUMBERS, "operator": OPERATORS, "unit": UNITS, "day": DAYS, "action": ACTIONS,
    "object": OBJECTS, "room": ROOMS, "genre": GENRES,
}  # fmt: skip
SLOT = {word: slot for slot, words in SLOTS.items() for word in words}
SLOT |= {word: word for word in (*FACTS, "timer", "alarm", "play")} | {"wake": "alarm"}
AGAIN = "please say that again"


def answer(words: Sequence[str], heard: Sequence[bool] | None = None) -> str:
    """The answer to a prompt of which only the words with a true ``heard`` are audible."""
    if heard is not None and len(heard) != len(words):
        raise ValueError(f"{len(heard)} flags for {len(words)} words: give one for each word")
    kept = [w for i, w in enumerate(words) if w in SLOT and (heard is None or heard[i])]
    by = {SLOT[w]: w for w in reversed(kept)}  # the first word of each slot
    for trigger, (slot, table, full, question) in FACTS.items():
        if trigger in by:
            value = by.get(slot)
            return full.format(value, table[value]) if value in table else question
    if "operator" in by:
        return _sum(kept, by["operator"])
    if "timer" in by:
        return _timer(by.get("number"), by.get("unit"))
    if "alarm" in by:
        return _alarm(by.get("number"), by.get("day"))
    if "action" in by:
        room = f"the {by['room']}" if "room" in by else "which room"
        thing = f"the {by['object']}" if "object" in by else "what"
        return f"{ACTIONS[by['action']]} {thing} in {room}"
    if "play" in by:
        if "room" in by:
            return f"playing {by.get('genre', 'what')} in the {by['room']}"
        return f"playing {by['genre']} music now" if "genre" in by else "playing which music"
    return _leftover(kept, by)


def _sum(kept: list[str], operator: str) -> str:
    at = kept.index(operator)
    left = next((w for w in kept[:at] if w in NUMBERS), None)
    right = next((w for w in kept[at:] if w in NUMBERS), None)
    if not left or not right:
        return f"{left or 'what'} {operator} {right or 'what'}"
    total = NUMBERS[left] + OPERATORS[operator] * NUMBERS[right]
    return f"{left} {operator} {right} is {number(total)}"


def number(n: int) -> str:
    """A whole number in words, -20 to 29."""
    if n < 0:
        return f"minus {number(-n)}"
    return SPOKEN[n] if n <= 20 else f"twenty {SPOKEN[n - 20]}"


def _timer(count: str | None, unit: str | None) -> str:
    if count and unit:
        return f"timer set for {count} {unit}"
    if count:
        return f"timer for {count} what"
    return f"timer for how many {unit}" if unit else "a timer for how long"


def _alarm(hour: str | None, day: str | None) -> str:
    if hour:
        return f"alarm set for {hour}" + (f" on {day}" if day else "")
    return f"alarm at what time on {day}" if day else "an alarm for when"


def _leftover(kept: list[str], by: dict[str, str]) -> str:
    """What is said where no word tells what to do."""
    if not kept:
        return AGAIN
    numbers = [w for w in kept if w in NUMBERS]
    if "unit" in by:
        return f"what about {numbers[0]} {by['unit']}" if numbers else f"how many {by['unit']}"
    if numbers:
        tail = f" on {by['day']}" if "day" in by else ""
        return f"what about {' and '.join(numbers)}{tail}"
    named = next((by[s] for s in ("country", "adjective", "genre", "day") if s in by), "")
    named = named or next((f"the {by[s]}" for s in ("animal", "thing", "object") if s in by), "")
    if "room" in by:
        named = f"{named} in the {by['room']}" if named else f"the {by['room']}"
    return f"what about {named}"


def rationale(words: Sequence[str]) -> tuple[int, ...]:
    """Indices of the words each of which, alone removed, changes the answer."""
    full, n = answer(words), len(words)
    return tuple(i for i in range(n) if answer(words, [j != i for j in range(n)]) != full)
