"""A dataclass in, a dataclass out: the bundled model reads a sentence and fills in a value of the asked type.

python examples/extract.py
"""

from dataclasses import dataclass

import penstock


@dataclass
class Order:
    order_id: int
    price: float
    city: str


model = penstock.models.tiny()
generate = penstock.Generator(model, Order)
order = generate(
    "Text: The order has the number 90125. It costs 48.2 and ships to Oslo.\n"
    "Fields: order_id: integer, price: number, city: string\n"
    "JSON:"
)
print(order)
