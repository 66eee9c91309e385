"""The four kinds of grammars of the ablation and of the comparison with peers, and a text in each."""

from __future__ import annotations

from typing import Any

JSON = r"""
root ::= value
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( member ("," ws member)* )? "}"
member ::= string ":" ws value
array ::= "[" ws ( value ("," ws value)* )? "]"
string ::= "\"" ( [^"\\\x00-\x1f] | "\\" ["\\/bfnrt] )* "\""
number ::= "-"? ( "0" | [1-9] [0-9]* ) ( "." [0-9]+ )?
ws ::= [ \n]?
"""
MARKUP = r"""
root ::= element
element ::= "<" name attribute* ( "/>" | ">" content* "</" name ">" )
attribute ::= " " name "=\"" [^"<&]* "\""
content ::= element | [^<&]+
name ::= [a-zA-Z_] [a-zA-Z0-9_-]*
"""
CODE = r"""
root ::= statement+
statement ::= "if " test ":\n" block | name " = " test "\n" | "return " test "\n" | call "\n"
block ::= ( "    " ( name " = " test | "return " test | call ) "\n" )+
test ::= sum ( ( " == " | " < " | " and " ) sum )*
sum ::= sum " + " term | sum " - " term | term
term ::= term " * " atom | atom
atom ::= name | number | string | call | "(" test ")"
call ::= name "(" ( test ( ", " test )* )? ")"
name ::= [a-z_] [a-z0-9_]*
number ::= [0-9]+
string ::= "\"" [^"\n]* "\""
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "email": {"type": "string", "pattern": "^[a-z.]+@[a-z]+\\.(com|org)$"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 3},
        "friend": {"$ref": "#"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
TEXTS = {
    "JSON": '{"name": "Ada Lovelace", "born": 1815, "works": ["Notes", {"pages": 66, "translated": true}], "city": "London"}',
    "JSON Schema": '{"name": "Ada Lovelace", "email": "ada.l@engine.org", "age": 36, "tags": ["red", "blue"], '
    '"friend": {"name": "Charles"}}',
    "XML": '<letter date="1843-07-02"><to>Charles Babbage</to><p>I am working very hard <b>for you</b>.</p><end/></letter>',
    "Python DSL": "total = 0\nif count(items) == 3 and limit < 10:\n    total = total + price * 2\n"
    '    log("three")\nreturn total - (tax + 1)\n',
}
GRAMMARS: dict[str, tuple[str, Any]] = {
    "JSON Schema": ("schema", SCHEMA),
    "JSON": ("ebnf", JSON),
    "XML": ("ebnf", MARKUP),
    "Python DSL": ("ebnf", CODE),
}
