# ruff: noqa: E501 (a table row is a line)
"""Domains, fields and phrasings, as tables that are read line by line.

A line of a domain is `keys | kind | phrase ; phrase ; ...`. The keys are the names a schema may use for the field, and
their words are the nouns of the generic phrasings ("the order number is {}"). A phrase follows the subject of the
record ("Ada" + "lives in {}"); for kind `bool` it is `when true / when false`, for `enum:a,b,c` the value is one of the words.
"""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN_TEXT = {
    "person": """
name, full_name, person, who | person |
age, years, age_years | age | is {} years old ; is {} ; turned {} last week ; is aged {} ; will soon be {} ; celebrated birthday number {} ; is now {} years of age ; just became {}
city, town, home_town, residence, lives_in | place | lives in {} ; is based in {} ; moved to {} ; has a flat in {} ; resides in {} ; settled in {} ; calls {} home ; stays in {} ; has lived in {} for years
country, nationality, birth_country | country | comes from {} ; was born in {} ; is a citizen of {} ; holds a passport of {} ; grew up in {} ; is originally from {}
job, occupation, profession, job_title | job | works as a {} ; is a {} ; earns a living as a {} ; is employed as a {} ; trained as a {} ; has a job as a {} ; became a {}
company, employer, firm, organization | brand | works for {} ; works at {} ; is employed by {} ; has joined {} ; is on the staff of {} ; has a contract with {} ; represents {}
email, mail, email_address | email | can be reached at {} ; uses the address {} ; writes from {} ; answers mail at {} ; has the email {} ; prefers mail to {}
phone, telephone, phone_number, mobile | phone | can be called at {} ; has the phone number {} ; answers calls on {} ; picks up at {} ; left the number {}
salary, income, wage | big | earns {} a year ; makes {} per year ; has a salary of {} ; gets {} each year ; is paid {} ; takes home {}
birth_date, born, birthday, date_of_birth | date | was born on {} ; has a birthday on {} ; came into the world on {} ; celebrates on {}
hobbies, interests, likes | words | likes {} ; enjoys {} ; spends the weekends on {} ; is fond of {} ; cares about {} ; is into {}
languages, speaks, spoken_languages | languages | speaks {} ; is fluent in {} ; has learned {} ; talks in {} ; understands {}
children, kids, number_of_children | small | has {} children ; is raising {} kids ; is a parent of {} ; looks after {} children
married, is_married | bool | is married / is not married ; has a spouse / has no spouse ; got married / never married ; is wed / is single
member, is_member, subscribed | bool | is a member / is not a member ; has joined the club / has not joined the club ; belongs to the club / does not belong to the club
""",
    "order": """
order_id, order_number, reference, order | big | has the number {} ; is filed under {} ; is number {} ; carries the reference {}
customer, buyer, client, customer_name | person | was placed by {} ; comes from {} ; belongs to {} ; was sent in by {} ; is for {} ; goes to {} ; was made by {}
product, item, article, product_name | thing | is for a {} ; contains a {} ; asks for the {} ; lists the {} ; is about a {} ; includes one {}
quantity, pieces, units, count, amount | count | asks for {} pieces ; covers {} units ; is for {} of them ; counts {} items ; needs {} in all ; lists {} pieces
price, total, cost, total_price | money | costs {} ; comes to {} euros ; adds up to {} ; is priced at {} ; was billed at {} ; amounts to {} dollars ; totals {}
date, order_date, placed_on, ordered_at | date | was placed on {} ; is dated {} ; came in on {} ; arrived on {} ; was taken on {} ; goes back to {}
city, ship_to, destination, delivery_city | place | ships to {} ; goes to {} ; must be sent to {} ; will be delivered in {} ; is bound for {} ; travels to {}
status, state, order_status | enum:open,shipped,delivered,cancelled,pending | is {} ; has the status {} ; is now {} ; was marked as {} ; shows up as {} ; currently stands at {}
paid, is_paid, payment_received | bool | is paid / is not paid ; has been paid / has not been paid ; is settled / is still unpaid ; was paid in full / awaits payment
urgent, express, priority | bool | is urgent / is not urgent ; must go out today / can wait ; needs express delivery / needs no express delivery ; is in a hurry / is in no hurry
tags, labels, keywords | words | is tagged {} ; carries the labels {} ; is filed under {} ; is marked as {} ; has the keywords {}
""",
    "event": """
title, event, event_name, name | title | is called {} ; goes by the name {} ; is titled {} ; runs under the title {} ; bears the name {}
date, day, event_date, when | date | takes place on {} ; is on {} ; happens on {} ; is planned for {} ; will be held on {} ; was moved to {} ; falls on {}
time, start, starts_at, start_time | clock | starts at {} ; begins at {} ; opens at {} ; kicks off at {} ; gets going at {} ; is set for {}
city, location, place, venue | place | takes place in {} ; is held in {} ; happens in {} ; will be in {} ; moves to {} ; is hosted in {} ; comes to {}
seats, capacity, attendees, participants | count | has {} seats ; holds {} people ; expects {} guests ; is open to {} people ; can seat {} ; welcomes {} visitors
price, fee, ticket_price, admission | money | costs {} ; charges {} at the door ; has tickets at {} ; asks {} for entry ; sells seats for {}
speaker, host, organizer, presenter | person | is hosted by {} ; is led by {} ; features {} ; is run by {} ; has {} on stage ; is organized by {} ; presents {}
public, is_public, open_to_all | bool | is open to the public / is closed to the public ; is open to all / is by invitation only ; is public / is private
category, type, kind, event_type | enum:concert,meeting,workshop,lecture,party | is a {} ; counts as a {} ; was announced as a {} ; is planned as a {} ; is listed as a {}
topics, subjects, themes | words | covers {} ; is about {} ; deals with {} ; touches on {} ; treats {} ; focuses on {}
""",
    "product": """
product, name, item, product_name | thing | is called the {} ; is a {} ; goes by {} ; is sold as the {}
price, cost, amount, unit_price | money | costs {} ; is priced at {} ; sells for {} ; goes for {} euros ; can be had for {} ; retails at {} dollars
weight, weight_kg, mass | weight | weighs {} kg ; has a weight of {} ; comes in at {} kilos ; weighs in at {} ; is {} kg heavy
color, colour, finish | color | is {} ; comes in {} ; is painted {} ; has a {} finish ; is available in {} ; is only sold in {}
stock, in_stock, quantity, inventory | count | has {} pieces in stock ; is stocked {} times ; is available {} times ; has {} left ; lies on the shelf {} times
brand, maker, manufacturer, company | brand | is made by {} ; comes from {} ; is built by {} ; is a product of {} ; carries the brand {} ; is manufactured by {}
rating, score, stars, review_score | rating | is rated {} ; has a rating of {} ; scores {} ; gets {} stars ; was reviewed at {} ; earned {} points
available, is_available, for_sale | bool | is available / is not available ; is for sale / is not for sale ; can be ordered / cannot be ordered ; is in the shop / is sold out
sku, code, article_number, product_id | code | has the code {} ; is listed as {} ; carries the number {} ; bears the label {} ; is filed as {}
colors, variants, color_options | colors | comes in {} ; is available in {} ; is sold in {} ; can be ordered in {} ; exists in {}
released, release_date, launched | date | was released on {} ; came out on {} ; was launched on {} ; hit the shops on {} ; has been on sale since {}
""",
    "booking": """
guest, name, guest_name, booked_by | person | was made by {} ; is for {} ; is under the name {} ; belongs to {} ; was requested by {} ; is held for {}
hotel, hotel_name, property | brand | is at the {} ; is for the {} ; was made at the {} ; is with the {} ; concerns the {}
city, location, destination | place | is in {} ; is for {} ; takes the guest to {} ; concerns a stay in {} ; leads to {}
check_in, arrival, from_date, start_date | date | starts on {} ; begins on {} ; has check-in on {} ; runs from {} ; is from {} on ; opens on {}
nights, num_nights, length_of_stay | small | is for {} nights ; covers {} nights ; lasts {} nights ; runs for {} nights ; spans {} nights
room, room_number, room_no | count | is for room {} ; has room {} ; gets room {} ; reserves room {} ; puts them in room {}
guests, party_size, num_guests, persons | small | is for {} people ; covers {} guests ; is made for a party of {} ; brings {} persons ; counts {} guests
breakfast, with_breakfast, breakfast_included | bool | includes breakfast / comes without breakfast ; has breakfast / has no breakfast ; is with breakfast / is without breakfast
confirmed, is_confirmed | bool | is confirmed / is not confirmed ; has been confirmed / has not been confirmed ; is certain / is still open
price, total, rate, total_price | money | costs {} ; comes to {} ; is charged at {} ; amounts to {} euros ; adds up to {} ; was quoted at {}
booking_code, confirmation, reservation_id, reference | code | has the code {} ; is filed as {} ; runs under {} ; carries the reference {} ; was given the number {}
""",
    "measurement": """
sensor, sensor_id, device, probe | code | has the name {} ; is known as {} ; carries the id {} ; reports as {} ; is labelled {}
temperature, temp, temperature_c | measure | measured {} degrees ; shows {} degrees ; reads {} degrees ; reported a temperature of {} ; is at {} degrees ; went to {} degrees
humidity, humidity_percent, moisture | age | measured {} percent humidity ; shows a humidity of {} ; has {} percent moisture ; gives {} percent humidity
pressure, air_pressure, pressure_hpa | count | measured a pressure of {} ; shows {} hPa ; is under {} hPa of pressure ; reads {} hectopascal
speed, wind_speed, velocity | measure | measured a speed of {} ; turns at a speed of {} ; shows {} m/s ; moves at {} m/s ; logged {} m/s
location, site, station, place | place | stands in {} ; is installed in {} ; is placed in {} ; sits in {} ; is near {} ; was put up in {} ; sends from {}
date, measured_on, day, recorded_on | date | took the reading on {} ; was read on {} ; logged this on {} ; wrote this on {} ; did so on {}
time, measured_at, timestamp, clock_time | clock | took the reading at {} ; was read at {} ; logged this at {} ; sent it at {} ; spoke up at {}
alarm, alert, is_alarm | bool | raised an alarm / raised no alarm ; is in alarm / is not in alarm ; gave an alert / gave no alert ; warned us / did not warn us
battery, battery_percent, charge | age | has {} percent battery ; is charged to {} percent ; has {} percent of charge left ; runs at {} percent battery
samples, readings, values | numbers | gave the readings {} ; logged {} ; sent the samples {} ; noted the values {} ; counted {}
""",
    "ticket": """
ticket, ticket_id, issue, issue_number | big | has the number {} ; is number {} ; is filed under {} ; goes by number {}
reporter, reported_by, author, opened_by | person | was reported by {} ; was opened by {} ; was filed by {} ; comes from {} ; was raised by {} ; was written by {}
assignee, assigned_to, owner, responsible | person | is assigned to {} ; was given to {} ; is handled by {} ; lies with {} ; is in the hands of {} ; waits for {}
priority, severity, urgency, level | enum:low,medium,high,critical | is {} priority ; has {} priority ; is rated {} ; was ranked as {} ; counts as {} ; is of {} importance
status, state, progress | enum:open,closed,blocked,resolved | is {} ; is now {} ; was marked {} ; has the state {} ; turned {} ; remains {}
component, module, area, subsystem | topic | is about {} ; concerns {} ; affects {} ; belongs to {} ; hits the {} part ; is a problem in {}
created, created_on, opened_on, date | date | was opened on {} ; was created on {} ; dates from {} ; came in on {} ; has been open since {} ; exists since {}
votes, upvotes, watchers | count | has {} votes ; was voted up {} times ; got {} votes ; is watched by {} people ; collected {} votes
reproducible, confirmed, can_reproduce | bool | can be reproduced / cannot be reproduced ; is reproducible / is not reproducible ; happens every time / does not happen again
labels, tags, keywords | words | is labelled {} ; is tagged {} ; carries the tags {} ; is marked with {} ; has the labels {}
""",
    "trip": """
traveler, passenger, name, traveller | person | is for {} ; was booked by {} ; takes {} along ; has {} on board ; belongs to {} ; carries {}
origin, from, departure_city, start | place | starts in {} ; leaves from {} ; departs from {} ; begins in {} ; sets off from {} ; goes out of {}
destination, to, arrival_city, goal | place | goes to {} ; ends in {} ; arrives in {} ; leads to {} ; is bound for {} ; heads for {} ; finishes in {}
date, departure_date, travel_date, day | date | is on {} ; leaves on {} ; takes place on {} ; departs on {} ; is planned for {} ; was moved to {}
departure_time, time, leaves_at, departs | clock | leaves at {} ; departs at {} ; starts at {} ; is scheduled for {} ; rolls out at {}
flight, flight_number, train, connection | code | uses {} ; is on {} ; goes with {} ; has the number {} ; runs as {}
seats, tickets, passengers, num_seats | small | has {} seats ; needs {} tickets ; is for {} passengers ; takes {} people ; covers {} travellers
distance, distance_km, kilometers, length_km | count | covers {} km ; is {} kilometers long ; runs over {} km ; takes {} kilometers ; measures {} km
price, fare, cost, ticket_price | money | costs {} ; is priced at {} ; comes to {} euros ; can be had for {} ; asks a fare of {}
direct, is_direct, nonstop | bool | is direct / is not direct ; goes without a stop / stops on the way ; needs no change / needs a change
""",
    "book": """
title, book, name, book_title | title | is called {} ; is titled {} ; bears the title {} ; goes by the name {} ; carries the title {}
author, writer, written_by | person | was written by {} ; is by {} ; comes from the pen of {} ; is a work of {} ; is the debut of {} ; was composed by {}
year, published, publication_year, published_in | year | was published in {} ; came out in {} ; appeared in {} ; dates from {} ; was printed in {} ; goes back to {}
pages, page_count, num_pages, length | count | has {} pages ; is {} pages long ; runs to {} pages ; fills {} pages ; counts {} pages
genre, category, type, kind | enum:novel,thriller,biography,poetry,fantasy | is a {} ; counts as {} ; belongs to the {} shelf ; is filed as {} ; is sold as {}
publisher, publishing_house, press, company | brand | was published by {} ; appeared with {} ; is sold by {} ; came out at {} ; was brought out by {}
language, original_language, written_in | enum:English,French,German,Spanish,Polish,Hindi | was written in {} ; is in {} ; can be read in {} ; first came out in {}
rating, score, stars | rating | is rated {} ; has a rating of {} ; got {} stars ; scores {} ; earned {} points
isbn, code, catalog_number, shelf_mark | code | has the code {} ; stands under {} ; is listed as {} ; carries the number {}
translated, is_translated, has_translation | bool | has been translated / has not been translated ; exists in translation / exists in no translation ; was translated / was never translated
""",
    "recipe": """
dish, name, recipe, meal | title | is called {} ; is known as {} ; goes by the name {} ; is named {} ; appears on the menu as {}
servings, serves, portions, people | small | serves {} ; is for {} people ; makes {} portions ; feeds {} ; is enough for {} ; yields {} servings
minutes, cooking_time, time_minutes, duration | small | takes {} minutes ; needs {} minutes ; cooks for {} minutes ; is ready in {} minutes ; is done after {} minutes
ingredients, items, contains, components | foods | contains {} ; needs {} ; is made of {} ; uses {} ; calls for {} ; is prepared with {} ; has {} in it
vegetarian, is_vegetarian, meat_free | bool | is vegetarian / is not vegetarian ; has no meat / contains meat ; is meat free / is made with meat
cook, chef, author, created_by | person | is a recipe of {} ; comes from {} ; was invented by {} ; is the work of {} ; was written down by {}
cuisine, origin, country, region | country | comes from {} ; is a classic of {} ; was born in {} ; is popular in {} ; is at home in {}
calories, kcal, energy | count | has {} calories ; comes to {} kcal ; brings {} calories ; contains {} kcal ; holds {} calories
difficulty, level, skill | enum:easy,medium,hard | is {} ; is {} to cook ; counts as {} ; is rated {} ; is considered {}
rating, stars, score | rating | is rated {} ; got {} stars ; has a score of {} ; earned {} points
""",
}

# The subject of a record: nouns for it, and the word for several of them (the key of an array).
SUBJECTS = {
    "person": (
        "The customer; The person; Our colleague; The applicant; The visitor; This person; She; He; They; My friend; The patient",
        "people persons customers staff members employees users",
    ),
    "order": (
        "The order; This order; It; The purchase; Our latest order; That order; The new order",
        "orders purchases items order_list",
    ),
    "event": ("The event; It; This event; The gathering; The evening; The next date", "events meetings dates calendar"),
    "product": ("The product; It; This article; The thing; This item; The new model", "products items articles goods"),
    "booking": ("The booking; It; The reservation; This booking; The stay", "bookings reservations stays"),
    "measurement": (
        "The sensor; It; The device; This probe; The station; The instrument",
        "sensors measurements readings devices",
    ),
    "ticket": ("The ticket; It; This issue; The bug; The report; This ticket", "tickets issues bugs reports"),
    "trip": ("The trip; It; The journey; This trip; The ride; The connection", "trips journeys connections rides"),
    "book": ("The book; It; This volume; The work; That book", "books works library titles"),
    "recipe": ("The dish; It; This recipe; The meal; That dish", "recipes dishes meals menu"),
}

GENERIC = """the {n} is {v} ; {n}: {v} ; {n} {v} ; {v} is the {n} ; the {n} was given as {v} ; as for the {n}, it is {v} ; we noted {v} as the {n}
; please use {v} as the {n} ; the {n} reads {v} ; {n} = {v} ; the {n} turned out to be {v} ; {n} is {v} ; under {n} it says {v} ; with {v} as the {n}
; for the {n} put {v} ; the {n} should be {v} ; they gave {v} for the {n} ; {n}, {v} ; the {n} has been set to {v} ; our {n} is {v} ; the form lists {v} as {n}
; {n} - {v} ; the {n} now stands at {v} ; the {n} will be {v} ; {v} was entered as {n} ; it was {v} that they named as the {n}"""

GENERIC_BOOL = """{n}: yes / {n}: no ; {n} = yes / {n} = no ; {n} is true / {n} is false ; the {n} box is ticked / the {n} box is empty
; for {n} they said yes / for {n} they said no ; {n} yes / {n} no ; it is {n} / it is not {n}"""

OPENERS = """also, ; besides, ; as far as we know, ; according to the note, ; by the way, ; in addition, ; as of today, ; for the record, ; we hear that
; please note that ; it seems that ; you should know that ; the file says that ; as agreed, ; so far, ; moreover, ; one more thing: ; on top of that, ; they told us that
; I am told that ; in short, ; again, ; to be clear, ; just so you know,"""

CHATTER = """Thanks for your help. ; The weather was fine. ; Nobody complained. ; We will call back soon. ; That is all for now. ; Have a nice day.
; This was written in a hurry. ; Nothing else is known. ; The rest can wait. ; It took longer than planned. ; The old file was lost. ; Everyone was happy.
; Please keep this short. ; The line was bad. ; More details will follow. ; Hello, ; Dear team, ; Good morning. ; As discussed yesterday. ; Best regards. ; Nothing has changed since.
; The meeting ran late. ; We are still waiting for the rest. ; Do not forget to reply. ; This is only a draft. ; Everything went well. ; Hope you are well."""


@dataclass(frozen=True)
class Field:
    """One thing a record can say. `phrases` hold {} for the value, or `when true / when false` for booleans."""

    keys: tuple[str, ...]
    kind: str
    phrases: tuple[str, ...]


def split_list(text: str, mark: str = ";") -> tuple[str, ...]:
    return tuple(part for part in (" ".join(piece.split()) for piece in text.split(mark)) if part)


def _read_field(line: str) -> Field:
    keys, kind, phrases = (part.strip() for part in line.split("|"))
    return Field(split_list(keys, ","), kind, split_list(phrases))


DOMAINS: dict[str, tuple[Field, ...]] = {
    name: tuple(_read_field(line) for line in text.strip().splitlines()) for name, text in DOMAIN_TEXT.items()
}
GENERIC_PHRASES = split_list(GENERIC)
GENERIC_BOOL_PHRASES = split_list(GENERIC_BOOL)
OPENER_PHRASES = split_list(OPENERS)
CHATTER_PHRASES = split_list(CHATTER)

# Requests for a tool: signature, then phrasings with the parameters by name.
TOOL_TEXT = """
get_weather city:place day:date | what is the weather in {city} on {day} ; will it rain in {city} on {day} ; weather for {city}, {day} ; I need the forecast for {city} on {day} ; how warm will {city} be on {day} ; on {day} I am in {city}, do I need a coat
search_web query:title limit:small | search for {query} and show {limit} results ; look up {query}, {limit} hits are enough ; find {limit} pages about {query} ; google {query} and give me {limit} links ; {limit} results on {query} please
create_event title:title date:date time:clock | put {title} in my calendar on {date} at {time} ; schedule {title} for {date}, {time} ; add an event {title} at {time} on {date} ; I have {title} on {date} at {time}, write it down ; block {time} on {date} for {title}
transfer_money amount:money to:person | send {amount} to {to} ; transfer {amount} euros to {to} ; pay {to} {amount} ; I owe {to} {amount}, please pay ; move {amount} to the account of {to} ; wire {amount} dollars to {to}
send_message to:person text:title | tell {to} {text} ; write to {to}: {text} ; message {to} with {text} ; send {to} the words {text} ; text {text} to {to}
set_alarm time:clock label:topic | wake me at {time} for {label} ; set an alarm at {time} called {label} ; alarm {time}, {label} ; at {time} remind me of {label} ; ring at {time} because of {label}
book_table restaurant:brand guests:small time:clock | a table at {restaurant} for {guests} at {time} ; book {restaurant} for {guests} people at {time} ; reserve {guests} seats at {restaurant}, {time} ; we are {guests} and want to eat at {restaurant} at {time}
play_music artist:person volume:age | play something by {artist} at volume {volume} ; I want to hear {artist}, volume {volume} ; put on {artist} and set the volume to {volume} ; {artist} please, at {volume} percent
convert amount:money from:code to:code | convert {amount} from {from} to {to} ; how much is {amount} {from} in {to} ; change {amount} {from} into {to} ; {amount} of {from} as {to} please
turn_on device:thing room:topic level:age | turn on the {device} in the {room} room to {level} ; switch the {device} in {room} to {level} ; set the {room} {device} to {level} percent ; {device} on in {room}, level {level}
buy_item item:thing quantity:count max_price:money | buy {quantity} of the {item} for at most {max_price} ; order {quantity} {item} under {max_price} ; get me {quantity} {item}, not above {max_price} ; I want {quantity} times the {item}, my limit is {max_price}
find_route from:place to:place | how do I get from {from} to {to} ; route from {from} to {to} ; I am in {from} and must go to {to} ; take me to {to} from {from} ; the way to {to}, starting in {from}
"""


@dataclass(frozen=True)
class Tool:
    name: str
    parameters: tuple[tuple[str, str], ...]  # (name, kind)
    phrases: tuple[str, ...]


def _read_tool(line: str) -> Tool:
    head, phrases = line.split("|")
    name, *parameters = head.split()
    return Tool(name, tuple((p.split(":")[0], p.split(":")[1]) for p in parameters), split_list(phrases))


TOOLS = tuple(_read_tool(line) for line in TOOL_TEXT.strip().splitlines())
