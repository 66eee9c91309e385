"""This library and its peers behind one face, each with the options that its documents recommend.

An engine has `encode(text)`, its ids of a text; `compile(kind, grammar)` with a new compiler, the kinds being `schema`,
`ebnf`, `regex` and `tag` (a structural tag as XGrammar and this library read it), which raises `UnsupportedError` for a
kind that the engine does not have; and `start()`, the fill and the accept of a new output. Those with calls for batches
have `compile_batch(schemas)` and `start_batch(kinds, prefixes)`, a step over all rows. One thread, but for batches.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

import four_grammars
from vocabularies import Vocabulary

Start = tuple[Callable[[], Any], Callable[[int], bool]]


class UnsupportedError(Exception):
    """The engine has no such grammars."""


class Penstock:
    """This library without what other grammars have left: every one as if it were the first of its process."""

    left_out: tuple[str, ...] = ("shared_masks",)

    def __init__(self, vocabulary: Vocabulary, threads: int = 1) -> None:
        import penstock

        self.penstock, self.encode, self.size = penstock, vocabulary.encode, len(vocabulary.tokens)
        self.info = penstock.TokenizerInfo(
            vocabulary.tokens, stop_token_ids=[vocabulary.stop_id], special_token_ids=vocabulary.special_ids
        )
        self.bitmask = penstock.allocate_token_bitmask(1, self.size)

    def compile(self, kind: str, grammar: Any) -> None:
        self.compiled = None  # what it holds could be shared with an equal grammar
        compiler, of = self.penstock.GrammarCompiler(self.info), self.penstock.Grammar
        read = {"schema": of.from_json_schema, "ebnf": of.from_ebnf, "regex": of.from_regex, "tag": of.from_structural_tag}
        self.compiled = compiler._compile_without(read[kind](grammar), self.left_out)

    def start(self) -> Start:
        matcher, bitmask = self.penstock.Matcher(self.compiled), self.bitmask
        return (lambda: matcher.fill_next_token_bitmask(bitmask, 0)), matcher.accept_token

    def compile_batch(self, schemas: list[dict[str, Any]]) -> None:
        self.batch: list[Any] = []
        compiler = self.penstock.GrammarCompiler(self.info)
        self.batch = [compiler.compile_json_schema(schema) for schema in schemas]

    def start_batch(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        from penstock import accept_next_tokens, fill_next_token_bitmasks

        bitmask = self.penstock.allocate_token_bitmask(len(kinds), self.size)
        matchers = [self.penstock.Matcher(self.batch[kind]) for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            matcher.accept_tokens(prefix)

        def step(tokens: list[int]) -> bool:
            fill_next_token_bitmasks(matchers, bitmask)
            return all(answer is True for answer in accept_next_tokens(matchers, tokens))

        return step


class PenstockInTurn(Penstock):
    """This library as it comes: a grammar takes the masks that others of its process have left."""

    left_out = ()


class LLGuidance:
    """llguidance, with its own numbering: text tokens first. EBNF goes through its own translation to Lark."""

    def __init__(self, vocabulary: Vocabulary, threads: int = 1) -> None:
        import llguidance
        import llguidance.numpy

        self.library, self.of, self.numpy = llguidance, llguidance.LLMatcher, llguidance.numpy
        self.tokenizer = llguidance_tokenizer(vocabulary)
        self.executor = llguidance.LLExecutor(threads)
        self.bitmask = self.numpy.allocate_token_bitmask(1, self.tokenizer.vocab_size)
        self.encode = lambda text: [token - vocabulary.first_text_id for token in vocabulary.encode(text)]

    def compile(self, kind: str, grammar: Any) -> None:
        self.compiled = self.matcher_of(kind, grammar)

    def matcher_of(self, kind: str, grammar: Any) -> Any:
        if kind == "ebnf":
            from llguidance.gbnf_to_lark import any_to_lark

            text = self.of.grammar_from_lark(any_to_lark(grammar))
        elif kind == "tag":
            text = self.of.grammar_from_lark(self.library.StructTag.to_grammar(self.tags_of(grammar), assume_special=False))
        else:
            text = self.of.grammar_from_json_schema(grammar) if kind == "schema" else self.of.grammar_from_regex(grammar)
        matcher = self.of(self.tokenizer, text)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def tags_of(self, part: Any) -> list[Any]:
        """Its own tags for those that a structural tag dispatches to; what else the tag says is left out."""
        if isinstance(part, list):
            return [tag for inner in part for tag in self.tags_of(inner)]
        if not isinstance(part, dict):
            return []
        if part.get("type") != "triggered_tags":
            return [tag for inner in part.values() for tag in self.tags_of(inner)]
        return [
            self.library.StructTag(
                trigger=next(trigger for trigger in part["triggers"] if tag["begin"].startswith(trigger)),
                begin=tag["begin"],
                grammar=tag["content"]["json_schema"],
                end=tag["end"],
            )
            for tag in part["tags"]
        ]

    def start(self) -> Start:
        matcher, bitmask, fill = self.compiled.deep_copy(), self.bitmask, self.numpy.fill_next_token_bitmask

        def accept(token: int) -> bool:
            allowed = int(bitmask[0, token >> 5]) >> (token & 31) & 1
            return bool(allowed) and matcher.consume_token(token)

        return (lambda: fill(matcher, bitmask, 0)), accept

    def compile_batch(self, schemas: list[dict[str, Any]]) -> None:
        self.batch = [self.matcher_of("schema", schema) for schema in schemas]

    def start_batch(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        bitmask = self.numpy.allocate_token_bitmask(len(kinds), self.tokenizer.vocab_size)
        matchers = [self.batch[kind].deep_copy() for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            matcher.consume_tokens(prefix)
        rows = [(matcher, row) for row, matcher in enumerate(matchers)]

        def step(tokens: list[int]) -> bool:
            self.numpy.fill_next_token_bitmask_par(self.executor, rows, bitmask)
            return all(self.numpy.consume_token_par(self.executor, list(zip(matchers, tokens, strict=True))))

        return step


class XGrammar:
    """XGrammar; JSON Schema strict, with flexible whitespace."""

    def __init__(self, vocabulary: Vocabulary, threads: int = 1) -> None:
        import xgrammar

        self.xgrammar, self.encode, self.size = xgrammar, vocabulary.encode, len(vocabulary.tokens)
        self.info = xgrammar.TokenizerInfo(
            vocabulary.tokens, xgrammar.VocabType.RAW, vocab_size=self.size, stop_token_ids=[vocabulary.stop_id]
        )
        self.bitmask = xgrammar.allocate_token_bitmask(1, self.size)
        self.calls = xgrammar.BatchGrammarMatcher(max_threads=threads)

    def compile(self, kind: str, grammar: Any) -> None:
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        if kind == "schema":
            self.compiled = compiler.compile_json_schema(json.dumps(grammar), any_whitespace=True, strict_mode=True)
        else:
            compile_ = {
                "ebnf": compiler.compile_grammar,
                "regex": compiler.compile_regex,
                "tag": compiler.compile_structural_tag,
            }
            self.compiled = compile_[kind](grammar)

    def start(self) -> Start:
        matcher, bitmask = self.xgrammar.GrammarMatcher(self.compiled), self.bitmask
        return (lambda: matcher.fill_next_token_bitmask(bitmask)), matcher.accept_token

    def compile_batch(self, schemas: list[dict[str, Any]]) -> None:
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        texts = [json.dumps(schema) for schema in schemas]
        self.batch = [compiler.compile_json_schema(text, any_whitespace=True, strict_mode=True) for text in texts]

    def start_batch(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        bitmask = self.xgrammar.allocate_token_bitmask(len(kinds), self.size)
        matchers = [self.xgrammar.GrammarMatcher(self.batch[kind]) for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            for token in prefix:
                matcher.accept_token(token)

        def step(tokens: list[int]) -> bool:
            self.calls.batch_fill_next_token_bitmask(matchers, bitmask)
            return all(self.calls.batch_accept_token(matchers, tokens))

        return step


class OutlinesCore:
    """outlines-core: an index of every state of a regular expression over the whole vocabulary."""

    def __init__(self, vocabulary: Vocabulary, threads: int = 1) -> None:
        import outlines_core
        from penstock import allocate_token_bitmask

        spelled: dict[bytes, list[int]] = {}
        for token, spelling in enumerate(vocabulary.tokens):
            if spelling:
                spelled.setdefault(spelling, []).append(token)
        self.core, self.encode = outlines_core, vocabulary.encode
        self.vocabulary = outlines_core.Vocabulary(vocabulary.stop_id, spelled)
        self.bitmask = allocate_token_bitmask(1, len(vocabulary.tokens))

    def compile(self, kind: str, grammar: Any) -> None:
        if kind in ("ebnf", "tag"):
            raise UnsupportedError("no context-free grammars")
        from outlines_core.json_schema import build_regex_from_schema

        pattern = build_regex_from_schema(json.dumps(grammar)) if kind == "schema" else grammar
        self.index = self.core.Index(pattern, self.vocabulary)

    def start(self) -> Start:
        guide, bitmask = self.core.Guide(self.index), self.bitmask
        address, size = bitmask.ctypes.data, bitmask.size

        def accept(token: int) -> bool:
            try:
                guide.advance(token, return_tokens=False)
            except ValueError:
                return False
            return True

        return (lambda: guide.write_mask_into(address, size, 4)), accept


class LmFormatEnforcer:
    """lm-format-enforcer, with its bitmask-free list of tokens."""

    def __init__(self, vocabulary: Vocabulary, threads: int = 1) -> None:
        import lmformatenforcer

        regular = [
            (token, spelling.decode(), spelling.startswith(b" "))
            for token, spelling in enumerate(vocabulary.tokens)
            if spelling and spelling.decode(errors="ignore").encode() == spelling
        ]
        data = lmformatenforcer.TokenEnforcerTokenizerData

        def decode(ids: list[int]) -> str:
            return b"".join(vocabulary.tokens[token] for token in ids).decode(errors="replace")

        self.library, self.encode = lmformatenforcer, vocabulary.encode
        self.data = data(regular, decode, vocabulary.stop_id, False, len(vocabulary.tokens))

    def compile(self, kind: str, grammar: Any) -> None:
        if kind == "tag" or (kind == "ebnf" and grammar != four_grammars.JSON):
            raise UnsupportedError("no context-free grammars")
        if kind == "regex":
            self.parser = self.library.RegexParser(grammar)
        else:
            self.parser = self.library.JsonSchemaParser(grammar if kind == "schema" else None)
        self.enforcer = self.library.TokenEnforcer(self.data, self.parser)

    def start(self) -> Start:
        enforcer, tokens, allowed = self.enforcer, [], []

        def fill() -> None:
            allowed[:] = enforcer.get_allowed_tokens(tokens).allowed_tokens

        def accept(token: int) -> bool:
            tokens.append(token)
            return token in allowed

        return fill, accept


MASK_ENGINES = ("penstock", "llguidance", "xgrammar")
"""Those with bitmasks, context-free grammars and calls for batches."""
IN_TURN = "penstock_in_turn"
ENGINES = {
    "penstock": Penstock,
    IN_TURN: PenstockInTurn,
    "llguidance": LLGuidance,
    "xgrammar": XGrammar,
    "outlines_core": OutlinesCore,
    "lmformatenforcer": LmFormatEnforcer,
}


def installed(names: str) -> list[str]:
    """Of names with commas between them, the engines that are there; others are said so."""
    wanted = names.split(",")
    missing = [name for name in wanted if not name.startswith("penstock") and importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}", file=sys.stderr)
    return [name for name in wanted if name not in missing]


def llguidance_tokenizer(vocabulary: Vocabulary) -> Any:
    """llguidance's view of it. With ranks, it numbers text tokens from 0 and special ones behind them."""
    import llguidance
    import llguidance.tiktoken

    if vocabulary.ranks is None:
        return llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Spelled(vocabulary)), eos_token=vocabulary.stop_id)
    import tiktoken

    size = max(vocabulary.ranks.values()) + 1
    # Holes among the ranks are no tokens; what is special there has its own ids behind.
    special = {f"<SP{i}>": size + i for i in range(len(vocabulary.special_ids))}
    encoding = tiktoken.Encoding(
        vocabulary.name, pat_str=vocabulary.pattern, mergeable_ranks=vocabulary.ranks, special_tokens=special
    )
    stop = size + vocabulary.special_ids.index(vocabulary.stop_id)
    return llguidance.tiktoken.lltokenizer_from_encoding(encoding, eos_token=stop)


class _Spelled:
    """What llguidance's wrapper reads of a tokenizer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.eos_token_id, self.bos_token_id = vocabulary.stop_id, None
        self.special_token_ids = vocabulary.special_ids
        named = {id: f"<SP{id}>".encode() for id in vocabulary.special_ids}
        self.tokens = [named.get(id, token) for id, token in enumerate(vocabulary.tokens)]
        self.encode = vocabulary.encode

    def __call__(self, text: str) -> list[int]:
        return self.encode(text)
