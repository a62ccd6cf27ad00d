"""What the training voices say: instructions, random words, and sentences of Debian's `fortunes`.

Everything is in spoken form (lowercase a-z, apostrophe, comma).  The prompts of data/speech and the
questions of data/questions are left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from num2words import num2words

sys.path.insert(0, str(Path(__file__).parents[3]))  # sgpa_core, also where it is not installed
FORTUNES = Path("/usr/share/games/fortunes")
WORD_LIST = Path("/usr/share/dict/american-english")
PROMPTS = Path(__file__).parents[2] / "speech" / "prompts.txt"
QUESTIONS = Path(__file__).parents[2] / "questions" / "questions.txt"


def _list(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",")]


LISTS = {
    "name": _list("""
        anna, peter, maria, john, susan, david, laura, michael, emma, james, sarah, robert, linda,
        thomas, kate, george, helen, paul, julia, mark, alice, henry, nina, oliver, grace, william,
        lucy, frank, rose, simon, victoria, charles, hannah, daniel, sophie, edward, martha, kevin,
        rachel, martin, olga, yusuf, mei, carlos, fatima, ivan, priya, hugo, leila, omar
    """),
    "relation": _list("""
        brother, sister, mother, father, aunt, uncle, cousin, neighbour, boss, teacher, doctor,
        dentist, friend, daughter, son, wife, husband, grandmother, landlord, colleague, partner,
        nephew, niece, lawyer, roommate
    """),
    "city": _list("""
        london, paris, berlin, madrid, rome, vienna, tokyo, boston, chicago, dublin, moscow, cairo,
        sydney, toronto, athens, lisbon, oslo, prague, warsaw, geneva, seattle, denver, houston,
        delhi, bangkok, nairobi, lima, havana, manchester, edinburgh, san francisco, new york, hong
        kong, cape town, buenos aires, mexico city, los angeles, glasgow, zurich, munich
    """),
    "country": _list("""
        france, spain, italy, germany, england, scotland, ireland, norway, sweden, finland, poland,
        greece, turkey, egypt, kenya, morocco, brazil, chile, peru, canada, mexico, japan, china,
        india, thailand, vietnam, australia, iceland, portugal, austria, hungary, nigeria, south
        africa, argentina, cuba, denmark, belgium, switzerland, indonesia, the netherlands
    """),
    "animal": _list("""
        dog, cat, horse, cow, sheep, goat, pig, chicken, duck, goose, rabbit, mouse, rat, lion,
        tiger, elephant, giraffe, zebra, monkey, bear, wolf, fox, deer, snake, lizard, turtle, frog,
        fish, shark, dolphin, eagle, owl, penguin, parrot, bee, ant, beetle, octopus, crab, camel,
        kangaroo, squirrel, hedgehog, bat, swan, crocodile, butterfly, snail
    """),
    "thing": _list("""
        lamp, door, window, radio, television, fan, heater, oven, kettle, alarm, light, computer,
        phone, printer, camera, clock, garage door, washing machine, vacuum cleaner, coffee machine,
        stove, speaker, thermostat, air conditioner, sprinkler, fridge
    """),
    "object": _list("""
        book, table, chair, umbrella, bicycle, car, boat, ship, train, aeroplane, bridge, house,
        castle, tower, garden, forest, river, mountain, island, desert, piano, guitar, violin, drum,
        trumpet, picture, mirror, candle, letter, ticket, hammer, knife, spoon, bottle, basket,
        blanket, jacket, shoe, hat, ring, coin, map, key, ladder, rope, engine, wheel
    """),
    "food": _list("""
        bread, butter, cheese, milk, eggs, apples, oranges, lemons, bananas, grapes, potatoes,
        carrots, onions, tomatoes, rice, pasta, soup, salad, chicken, beef, fish, sugar, salt,
        pepper, flour, chocolate, coffee, tea, juice, honey, mushrooms, spinach, garlic, beans,
        yoghurt, pizza, pancakes, cake, cookies, sandwiches, strawberries, walnuts
    """),
    "room": _list("""
        kitchen, bedroom, bathroom, living room, hall, garage, cellar, garden, office, nursery,
        attic, dining room, porch, study
    """),
    "day": _list("monday, tuesday, wednesday, thursday, friday, saturday, sunday"),
    "month": _list("""
        january, february, march, april, may, june, july, august, september, october, november,
        december
    """),
    "when": _list("""
        today, tomorrow, tonight, this morning, this afternoon, this evening, next week, next month,
        on the weekend, in the morning, before breakfast, after lunch, at noon, at midnight, right
        now, later, every day, before i leave, when i get home, in an hour, in a few minutes, the
        day after tomorrow
    """),
    "colour": _list("""
        red, green, blue, yellow, orange, purple, black, white, brown, pink, grey, silver, golden,
        violet, turquoise
    """),
    "adjective": _list("""
        big, small, old, young, happy, sad, quick, slow, bright, dark, heavy, light, strong, weak,
        rich, poor, loud, quiet, warm, cold, early, late, long, short, strange, simple, famous,
        brave, clever, gentle, polite, honest, dangerous, ancient, modern, empty, narrow, wide,
        sharp, smooth, bitter, sweet, fresh, beautiful, terrible, wonderful, ordinary, generous,
        expensive, cheap
    """),
    "subject": _list("""
        history, physics, chemistry, music, painting, mathematics, grammar, geography, medicine,
        law, biology, philosophy, astronomy, economics, cooking, gardening, chess, football, tennis,
        swimming, climbing, sailing, politics, religion, photography, poetry, the weather, space
        travel, the ocean, dinosaurs, volcanoes, electricity, magnetism, evolution, gravity, the
        stock market, the second world war, the roman empire, the industrial revolution, ancient
        greece, human rights
    """),
    "person": _list("""
        einstein, newton, shakespeare, mozart, beethoven, napoleon, cleopatra, darwin, lincoln,
        gandhi, picasso, caesar, columbus, galileo, aristotle, plato, edison, churchill, washington,
        dickens, tolstoy, chopin, curie, tesla, marx, freud
    """),
    "music": _list("""
        jazz, rock, folk, classical music, the news, a podcast, some piano music, an audio book,
        soft music, the radio, dance music, opera, the blues
    """),
    "unit": _list("""
        seconds, minutes, hours, days, weeks, years, miles, kilometres, pounds, dollars, euros,
        degrees, metres, percent, grams, litres, inches, feet
    """),
    "language": _list("""
        french, spanish, german, italian, russian, chinese, japanese, latin, greek, arabic, english,
        portuguese, dutch, swedish
    """),
    "verb": _list("""
        call, visit, meet, help, pay, thank, ask, remember, email, invite, follow, warn, find, wake,
        congratulate, phone, answer, text
    """),
    "task": _list("""
        buy flowers, clean the house, pay the rent, take the medicine, walk the dog, water the
        plants, book the tickets, pack my bags, return the library books, feed the cat, wash the
        car, check the mail, do the laundry, mow the lawn, finish the report, charge the battery,
        renew my passport, sign the contract, take out the trash, pick up the children, change the
        sheets
    """),
    "please": _list("""
        please, could you, can you, would you, i want you to, you should, hey, okay, now, quickly, i
        need you to, let's
    """),
    "shape": _list("""
        story, poem, song, joke, letter, riddle, summary, list, speech, recipe, description, review,
        message, essay
    """),
}  # fmt: skip
TEMPLATES = [
    line.strip()
    for line in """
what is the capital of {country}
what's the capital city of {country}, and how many people live there
which city is the largest in {country}
how far is {city} from {city}
how long does the train take from {city} to {city}
what's the weather like in {city} {when}
will it snow in {city} on {day}
is it {adjective} in {country} in {month}
what is {number} plus {number}
what is {number} minus {number}
how much is {number} times {number}
what's {number} divided by {number}
can you add {number} and {number} and {number}
how many {unit} are in {number} {unit}
convert {number} {unit} to {unit}
what is {number} percent of {number}
how many legs does a {animal} have
how long does a {animal} live
what does a {animal} eat
where does the {adjective} {animal} sleep
why is a {animal} so {adjective}
is a {animal} bigger than a {animal}
do you think the {animal} and the {animal} could be friends
what sound does the {animal} make
what do you call a {adjective} {animal}
what colour is a {colour} {object} at night
what is the opposite of {adjective}
what's another word for {adjective}
is {adjective} the same as {adjective}
what rhymes with {object}
how do you spell {object}
what does the word {adjective} mean
how do you say {adjective} in {language}
translate {object} into {language}
say {food} and {food} in {language}
wake me up at {time} {when}
wake {name} at {time} on {day}
set an alarm for {time}
set a timer for {number} {unit}
remind me to {task} {when}
remind {name} to {task} at {time}
please {task} before {time}
don't forget to {task} {when}
did {name} {verb} my {relation} {when}
{verb} my {relation} {when}
{verb} {name} and tell {name} to {task}
i'd like to {verb} {name}'s {relation} on {day}
please {verb} the {relation} of {name}
turn on the {thing} in the {room}
turn off the {thing} in the {room} {when}
switch the {colour} {thing} off at {time}
is the {thing} in the {room} still on
make the {room} a little {adjective}
open the {thing} and close the {thing}
set the {thing} to {number} {unit}
play {music} in the {room}
play {music} until {time}
stop the music in the {room}
put {food} and {food} on the shopping list
add {number} {unit} of {food} to the list
how do i cook {food} with {food}
how much {food} do i need for {number} people
where can i buy {food} in {city}
can i eat {food} with {food} {when}
what goes well with {food}, {food} and {food}
tell me a {adjective} {shape} about a {animal}
tell me a {shape} about {subject}
write a {adjective} {shape} for my {relation}
write a {shape} about {name} and the {colour} {object}
give me {number} ideas for a {shape} about {subject}
explain {subject} to my {relation}
explain why {subject} is {adjective}
what can you tell me about {subject}
i know nothing about {subject}, where should i start
what's the difference between {subject} and {subject}
what's the difference between a {object} and a {object}
who was {person}
when was {person} born
was {person} older than {person}
what did {person} say about {subject}
who wrote the first book about {subject}
who invented the {object}
in what year did {person} go to {country}
what happened in {country} in {year}
the {ordinal} of {month} is a {day}
my {relation} was born on the {ordinal} of {month} {year}
what day is the {ordinal} of {month}
book a table for {number} at {time}
book a flight from {city} to {city} on the {ordinal} of {month}
i have a meeting with {name} at {time} {when}
move my {time} meeting to {day}
what's on my calendar {when}
cancel everything on {day}
read me the {ordinal} message from {name}
send {name} a message, i'm at the {object}
i can't find my {object}, can you help me
i've lost my {colour} {object} in {city}
she said that the {object} wasn't {adjective}, but it's {adjective}
he didn't know where the {animal} went
they're going to {country} with {name} and {name}
we'll need a {adjective} {object} and {number} {unit} of rope
you shouldn't put the {object} near the {object}
there's a {adjective} {animal} behind the {object}
where's the nearest {object}
why does the {object} look {adjective}
if the {thing} is {adjective}, switch it off
should i wear a {colour} jacket {when}
how much does a {adjective} {object} cost in {country}
does {name} like {food} or {food}
which is better, {food} or {food}
which one is {adjective}, the {object} or the {object}
what would you do with {number} {unit}
how many {unit} does it take to {task}
suggest a {adjective} present for my {relation}'s birthday
recommend a {adjective} book about {subject}
describe a {adjective} {object} in {number} words
name {number} things that are {colour}
name a {animal} that is {adjective} and {colour}
count from {number} to {number}
who lives in the {adjective} {object} by the river
{please} {task}
{please} {task} {when}
{please} turn down the {thing}
{please} tell me more about {subject}
{please} open the {ordinal} page of the book about {subject}
{please} find out when the {object} was built
{please} compare {country} with {country}
{please} spell {name} for me
what are the rules of {subject}
what time is it in {city}
what time does the {object} open on {day}
when does the next train to {city} leave
how do i get from the {object} to the {object}
how old is the {object} in {city}
is there a {object} near {city}
the {adjective} {animal} jumped over the {adjective} {object}
{name} and {name} went to {city} to see the {object}
{name} asked whether the {relation} of {person} had been {adjective}
once upon a time there was a {adjective} {animal} who lived in a {object}
it was a {adjective} evening in {month} when the {relation} came home
in the {room} of the {object} there stood a {adjective} {colour} {object}
""".splitlines()
    if line.strip()
]


def _number(value: int, kind: str = "cardinal") -> str:
    return re.sub(r"[^a-z ]", " ", num2words(value, to=kind).lower()).replace("  ", " ").strip()


def _fill(slot: str, rng: np.random.Generator) -> str:
    if slot == "number":
        return _number(
            int(rng.choice([rng.integers(1, 21), rng.integers(20, 100), rng.integers(100, 2000)]))
        )
    if slot == "ordinal":
        return _number(int(rng.integers(1, 32)), "ordinal")
    if slot == "year":
        return _number(int(rng.integers(1500, 2030)), "year")
    if slot == "time":
        hour, minute = (
            _number(int(rng.integers(1, 13))),
            int(rng.choice([0, 5, 10, 15, 20, 30, 40, 45, 50])),
        )
        form = rng.integers(3)
        if minute == 0:
            return hour + ("" if form else " o'clock")
        return f"{hour} {_number(minute) if minute > 9 else 'oh ' + _number(minute)}" + (
            " p m" if form == 2 else ""
        )
    return str(rng.choice(LISTS[slot]))


def instruction(rng: np.random.Generator) -> str:
    """One question or command."""
    template = str(rng.choice(TEMPLATES))
    text = re.sub(r"{(\w+)}", lambda match: _fill(match[1], rng), template)
    if rng.random() < 0.08:
        text = (
            str(
                rng.choice(
                    [
                        "hello, ",
                        "thank you, ",
                        "excuse me, ",
                        "so, ",
                        "well, ",
                        "good morning, ",
                        "computer, ",
                    ]
                )
            )
            + text
        )
    if rng.random() < 0.06:
        text += str(
            rng.choice(
                [
                    ", please",
                    ", thank you",
                    " for me",
                    " again",
                    ", won't you",
                    " as soon as possible",
                ]
            )
        )
    return text


def fortunes() -> list[str]:
    """Sentences of 3 to 16 words from Debian's `fortunes`, which are not part of this project."""
    sentences: dict[str, None] = {}
    for file in sorted(FORTUNES.iterdir()):
        if "." in file.name or file.name in ("ascii-art", "translate-me", "perl"):
            continue
        for entry in re.split(r"\n%\n", file.read_text(errors="ignore")):
            for sentence in re.split(
                r"[.!?;:]+[\s\"']+|\n\s*\n|--", re.sub(r"\s*\n\s*(?=[a-z])", " ", entry)
            ):
                text = " ".join(sentence.lower().replace("-", " ").strip(" .!?\"'()").split())
                text = re.sub(r"[\"()*_`]|(?<![a-z])'|'(?![a-z])", "", text)
                words = text.replace(",", "").split()
                if (
                    re.fullmatch(r"[a-z' ,]+", text)
                    and 3 <= len(text.split()) <= 16
                    and all(len(w) < 16 and re.search(r"[aeiouy]", w) for w in words)
                ):
                    sentences[re.sub(r"\s*,[\s,]*", ", ", text).strip(" ,")] = None
    return list(sentences)


def word_list() -> np.ndarray:
    """Plain English words of 2 to 12 letters."""
    words = WORD_LIST.read_text().split()
    return np.array(
        [w for w in words if re.fullmatch(r"[a-z]{2,12}", w) and re.search(r"[aeiouy]", w)]
    )


def words_sentence(rng: np.random.Generator, words: np.ndarray) -> str:
    """Three to eight words without sense, so that no grammar can be learnt instead of sound."""
    picked = [str(w) for w in rng.choice(words, rng.integers(3, 9))]
    return "".join(w + (", " if rng.random() < 0.06 else " ") for w in picked).strip(" ,")


def letters_of(text: str) -> str:
    """The letters alone, to tell whether two texts say the same."""
    return re.sub(r"[^a-z]", "", text.lower())


def spoken_prompts(file: Path = PROMPTS) -> list[str]:
    """The prompts of data/speech, or the questions of data/questions, as they are said."""
    import sgpa_core

    return [
        " ".join(w.spoken for w in sgpa_core.decompose(line).words)
        for line in file.read_text().splitlines()
    ]


def prompt_letters() -> set[str]:
    """What no voice may say in training: the prompts of data/speech and of data/questions."""
    return {letters_of(line) for file in (PROMPTS, QUESTIONS) for line in spoken_prompts(file)}


def texts(
    count: int, seed: int, shares: tuple[float, float, float] = (0.45, 0.4, 0.15)
) -> list[str]:
    """``count`` texts: instructions, fortunes and random words in these shares."""
    rng = np.random.default_rng(seed)
    banned, pool, words = prompt_letters(), fortunes(), word_list()
    result: list[str] = []
    while len(result) < count:
        kind = rng.choice(3, p=shares)
        if kind == 0:
            text = instruction(rng)
        elif kind == 1:
            text = str(pool[rng.integers(len(pool))])
        else:
            text = words_sentence(rng, words)
        if letters_of(text) not in banned:
            result.append(text)
    return result
