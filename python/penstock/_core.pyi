"""Types of the compiled core; `penstock` exports its classes, and `penstock.drafting` those of the paper's trie.

All classes are final. Token ids are ints from 0 to `vocab_size - 1`; lists of them are new ones, free to change.
`tests/test_stub.py` holds the names, arguments and defaults below against the compiled module.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, Protocol, Self, TypeAlias, TypedDict, Unpack, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from penstock.errors import PenstockError

__all__ = [
    "Chooser",
    "CompiledGrammar",
    "DraftTree",
    "Grammar",
    "GrammarCompiler",
    "Matcher",
    "RetrievalIndex",
    "RetrievalRequest",
    "TokenizerInfo",
    "TrieRequest",
    "TrieStore",
    "accept_next_tokens",
    "fill_next_token_bitmasks",
    "mask_logit_rows",
]

class _CpuTensor(Protocol):
    """What is no buffer itself but can show one without a copy, such as a torch tensor on the CPU."""

    def numpy(self) -> Any: ...

class _Noise(Protocol):
    """Whose noise the sampler adds: the seed of the text and the number of the sample, both from 0 to 2**64 - 1."""

    @property
    def seed(self) -> int: ...
    @property
    def sample(self) -> int: ...

class _LoaderOptions(TypedDict, total=False):
    """What every loader of a tokenizer takes. `None` and a missing option mean the same."""

    vocab_size: int | None
    """Width of the model's logits, if it exceeds the tokenizer's vocabulary."""
    stop_token_ids: Iterable[int] | None
    """The tokens that end an output, if they are not those that the tokenizer names."""

class _JsonOptions(TypedDict, total=False):
    """The options of a JSON Schema. `None` and a missing option mean the same."""

    strict: bool | None
    """True (default): what cannot be enforced exactly is refused. False: it is reported and not enforced."""
    property_order: Literal["any", "schema"] | None
    """Members in any order (default), or in the order of the schema."""
    whitespace: Literal["flexible", "compact"] | None
    """Whitespace wherever JSON allows it (default), or none; `indent` and `separators` override it."""
    max_whitespace: int | None
    """Up to so many whitespace characters of any kind wherever JSON allows them; overrides `whitespace`."""
    indent: int | None
    """One member a line, indented by this many spaces a level."""
    separators: tuple[str, str] | None
    """Between items and behind a name: `,` and `:`, each followed by nothing, one or two spaces, or a line break."""
    format: Literal["assertion", "annotation"] | None
    """Whether `format` is enforced (default) or only reported."""
    registry: dict[str, Any] | None
    """Documents that a remote `$ref` may name, by URI. Nothing is ever fetched."""
    limits: dict[str, int] | None
    """Named limits of the schema other than the defaults (docs/design/limits.md): `{"max_emptiness_states": 1_000_000}`."""

_Bitmask: TypeAlias = NDArray[np.int32] | Buffer | _CpuTensor
"""A writable, C-contiguous int32 array [rows, ceil(vocab_size / 32)] or [ceil(vocab_size / 32)], as `allocate_token_bitmask`
makes it: NumPy's, or torch's on the CPU."""
_Ids: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]
_Dialect: TypeAlias = Literal["python", "rust", "ecma"]
_Schema: TypeAlias = dict[str, Any] | bool | str | type | Any
"""A JSON Schema as dict, bool or JSON text, or a Python type whose values are meant."""

@final
class TokenizerInfo:
    """The bytes of every token id of a vocabulary, its special and its stop tokens.

    Immutable, hashable, picklable, shared by any number of threads. Equality compares the whole vocabulary.
    Cost: linear in the bytes; the tables of the mask engine are made here, some 200 ms for 131,000 tokens.
    """

    def __new__(
        cls,
        vocab: Iterable[bytes],
        *,
        stop_token_ids: Iterable[int],
        special_token_ids: Iterable[int] | None = None,
        vocab_size: int | None = None,
    ) -> TokenizerInfo:
        """Build from `vocab[i]`, the spelling of id `i` in mid-text; `b""` marks ids that no text can produce.

        `stop_token_ids`: tokens that end an output. `special_token_ids`: further symbols that are no text. `vocab_size`: number
        of ids including those of a padded head; None takes `len(vocab)`. Raises TokenizerError with `.token_id`.
        """

    @classmethod
    def from_huggingface(cls, tokenizer: Any, **options: Unpack[_LoaderOptions]) -> TokenizerInfo:
        """Read a fast tokenizer of transformers or a `tokenizers.Tokenizer`. Raises TokenizerError."""

    @classmethod
    def from_tiktoken(cls, encoding: Any, **options: Unpack[_LoaderOptions]) -> TokenizerInfo:
        """Read a `tiktoken.Encoding`. Raises TokenizerError."""

    @classmethod
    def from_sentencepiece(cls, model: Any, **options: Unpack[_LoaderOptions]) -> TokenizerInfo:
        """Read a `SentencePieceProcessor`, or the path or bytes of a model file. Raises TokenizerError."""

    @classmethod
    def from_mistral(cls, tokenizer: Any, **options: Unpack[_LoaderOptions]) -> TokenizerInfo:
        """Read a tokenizer of mistral-common. Raises TokenizerError."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, those of a padded head included: the width of the model's logits. `len(info)` is the same."""

    @property
    def stop_token_ids(self) -> list[int]:
        """The tokens that end an output, ascending."""

    @property
    def special_token_ids(self) -> list[int]:
        """The tokens that are symbols and no text, ascending; stop tokens are among them."""

    @property
    def fingerprint(self) -> str:
        """A stable fingerprint of the whole vocabulary: 32 hexadecimal digits."""

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that `token_id` adds to the text; empty for special tokens and for ids past the vocabulary."""

    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Grammar:
    """A language, not yet bound to a vocabulary. Immutable, hashable, picklable; `str(grammar)` is EBNF that parses back.

    A JSON Schema is read when the grammar is compiled: what is wrong with it is raised there.
    """

    @staticmethod
    def from_json_schema(schema: _Schema, **options: Unpack[_JsonOptions]) -> Grammar:
        """Return the JSON texts that a JSON Schema accepts; options as for `GrammarCompiler.compile_json_schema`.

        Raises GrammarSyntaxError for a text that is no JSON, LimitError for a schema nested deeper than 2,000 levels,
        UnsupportedFeatureError for separators other than those listed, TypeError or ValueError for an unknown option or value.
        """

    @staticmethod
    def from_ebnf(text: str, root: str = "root") -> Grammar:
        """Read a grammar in EBNF, a superset of GBNF; `root` names the rule to start from.

        Raises GrammarSyntaxError that lists every mistake with line and column; UnsupportedFeatureError, EmptyLanguageError,
        LimitError.
        """

    @property
    def remarks(self) -> list[str]:
        """What is odd about the grammar though its language is clear: rules that nothing uses, rules that no text matches.

        Each with line, column, the line and a caret, in the order of the text. No mask changes by them. A grammar that was
        pickled has the places of its print. Cost: linear in the grammar.
        """

    @staticmethod
    def from_regex(pattern: str, *, dialect: _Dialect = "python") -> Grammar:
        """Return the texts that a regular expression matches as a whole.

        Raises GrammarSyntaxError, UnsupportedFeatureError (such as back references), LimitError.
        """

    @staticmethod
    def from_lark(text: str, *, named_grammars: Mapping[str, Grammar | str] | None = None) -> Grammar:
        """Read a grammar in llguidance's dialect of Lark; the output is a text of the rule `start`.

        named_grammars: what `@name` stands for. A text among them is Lark too, and may name those before it.
        Raises GrammarSyntaxError, UnsupportedFeatureError, EmptyLanguageError and LimitError, each with every mistake of
        the text. Cost: linear in the text, times the values that parameters of rules take.
        """

    @staticmethod
    def from_structural_tag(tag: Any, **options: Unpack[_JsonOptions]) -> Grammar:
        """Return what a structural tag in XGrammar's notation describes.

        tag: a dict, JSON text, or an object whose `model_dump()` is the dict; also the older `{"structures", "triggers"}`.
        Options are those of the schemas in it. Members come in any order that these allow, whatever `any_order` says.
        Raises GrammarSyntaxError, UnsupportedFeatureError and LimitError, the JSON pointer of the first mistake in `location`.
        """

    @staticmethod
    def from_type(python_type: Any, **options: Unpack[_JsonOptions]) -> Grammar:
        """Return the JSON texts of the values of a Python type; of Ebnf, Regex, Lark and their kin the grammar that they are.

        Raises TypeError for types that JSON cannot carry, and for options where there is no schema that they belong to.
        """

    @staticmethod
    def concat(*grammars: Grammar) -> Grammar:
        """Return the texts of each grammar, one after the other; without arguments, the empty text."""

    @staticmethod
    def union(*grammars: Grammar) -> Grammar:
        """Return the texts of any of the grammars; without arguments, the empty language, which does not compile."""

    def __or__(self, other: Grammar, /) -> Grammar:
        """Return the texts of either."""

    def __add__(self, other: Grammar, /) -> Grammar:
        """Return the texts of the first, each followed by one of the second."""

    def __and__(self, other: Grammar, /) -> Grammar:
        """Return the texts of both. Neither may call itself, or compiling raises UnsupportedFeatureError."""

    def __invert__(self) -> Grammar:
        """Return the texts that are not in it. It may not call itself, or compiling raises UnsupportedFeatureError."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class GrammarCompiler:
    """Compiles grammars for one vocabulary, and remembers what it compiled. Thread-safe.

    Every compile method raises the errors of the front end it names, EmptyLanguageError where no text matches, LimitError
    where a named limit is reached, and TokenizerError where the vocabulary lacks a token that the grammar names or a single
    byte that it needs.
    Cost: linear in the grammar, and constant for one that is remembered; masks are made later, where the output goes.
    """

    def __new__(
        cls, info: TokenizerInfo, *, max_threads: int | None = None, cache_size_bytes: int | None = None
    ) -> GrammarCompiler:
        """Compile for `info`. `cache_size_bytes` bounds what is remembered (None: 512 MiB); what is in use lives on.

        `max_threads` changes nothing: compiling is lazy and takes one thread.
        """

    @property
    def tokenizer_info(self) -> TokenizerInfo:
        """The vocabulary."""

    def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Bind a grammar to the vocabulary."""

    def compile_json_schema(self, schema: _Schema, **options: Unpack[_JsonOptions]) -> CompiledGrammar:
        """Compile a JSON Schema: dict, bool, JSON text, or a Python type.

        Options: strict=True, property_order="any", whitespace="flexible", max_whitespace=None, indent=None,
        separators=None, format="assertion", registry=None, limits=None. Raises UnsupportedFeatureError, whose `.refusals`
        list (pointer, keyword, reason), EmptyLanguageError, GrammarSyntaxError, LimitError, and TypeError or ValueError for
        an unknown option or value.
        """

    def compile_ebnf(self, text: str, root: str = "root") -> CompiledGrammar:
        """Compile EBNF; see `Grammar.from_ebnf`."""

    def compile_regex(self, pattern: str, *, dialect: _Dialect = "python") -> CompiledGrammar:
        """Compile a regular expression, matched as a whole; see `Grammar.from_regex`."""

    def compile_lark(self, text: str, *, named_grammars: Mapping[str, Grammar | str] | None = None) -> CompiledGrammar:
        """Compile Lark; see `Grammar.from_lark`."""

    def compile_structural_tag(self, tag: Any, **options: Unpack[_JsonOptions]) -> CompiledGrammar:
        """Compile a structural tag; see `Grammar.from_structural_tag`. Special tokens that its texts name are those tokens."""

    @property
    def size_bytes(self) -> int:
        """Memory of the grammars that are remembered, approximately."""

    def _compile_without(self, grammar: Grammar, techniques: Sequence[str]) -> CompiledGrammar:
        """Compile with some shortcuts of the engine left out and remember nothing: masks are the same, their cost is not.

        For benchmarks and tests, no part of the public interface. Raises ValueError for a name that is not in `_techniques()`.
        """

    @staticmethod
    def _techniques() -> list[str]:
        """Return the names that `_compile_without` takes."""

    def clear_cache(self) -> None:
        """Forget every compiled grammar; those in use live on."""

@final
class CompiledGrammar:
    """A grammar bound to a vocabulary, made by a GrammarCompiler. Shared by any number of matchers and threads."""

    @property
    def tokenizer_info(self) -> TokenizerInfo:
        """The vocabulary."""

    @property
    def report(self) -> dict[str, list[tuple[str, str, str]]]:
        """What became of each keyword of its JSON Schemas: lists of (JSON pointer, keyword, reason).

        The keys are "enforced", "annotations" and "refused"; the lists are empty for a grammar without a schema.
        """

    @property
    def size_bytes(self) -> int:
        """Memory of automata and masks, approximately; it grows with use. The tables of the vocabulary are not in it."""

    @property
    def vocabulary_size_bytes(self) -> int:
        """Memory of the vocabulary's tables in bytes, shared by all grammars of one TokenizerInfo."""

    def _vocabulary_parts(self) -> tuple[int, int, int, int, int]:
        """Return the same in parts, and the bytes of the tokens: (bitmaps and tables, tries, sweeps, shared masks, bytes).

        For benchmarks, no part of the public interface.
        """

    @property
    def mask_counts(self) -> tuple[int, int]:
        """(masks remembered, masks made) so far; what was not made was taken from other grammars of the vocabulary."""

    def warm_up(self, max_masks: int = 2000) -> Future[int]:
        """Make masks before they are needed, in a daemon thread; the Future holds how many different ones were looked at.

        The states are those that bytes can reach, breadth first, up to `max_masks` masks. Cancelling the future stops the
        work within milliseconds; masks that were made stay. Warm-ups take turns; they may be started in a forked child.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the grammar to a file, with the places at which masks were made so far. Raises OSError.

        The file is bound to the vocabulary and to the version of the format, and has a checksum. Pickling holds the same.
        """

    @staticmethod
    def load(path: str | os.PathLike[str], info: TokenizerInfo) -> CompiledGrammar:
        """Read what `save` wrote and make its masks again: a file may be refused, but it cannot make a mask wrong.

        Raises GrammarError (`saved_grammar_damaged`, `saved_grammar_version`), TokenizerError
        (`saved_for_another_vocabulary`), OSError, and what compiling raises. Cost: that of compiling and of the masks.
        """

    @staticmethod
    def _from_bytes(data: bytes, info: TokenizerInfo) -> CompiledGrammar:
        """`load` from bytes, for pickling."""

    def _warm_up(self, pause: Callable[[], None], max_masks: int) -> int:
        """Do the work of `warm_up` in this thread; `pause` is called every few milliseconds, and what it raises ends it."""

@final
class Matcher:
    """The state of one output under a compiled grammar. For one thread at a time; it does not pickle.

    One law holds: a bit of the mask is set exactly when `accept_token` would take the token. After any error the matcher is
    as it was before the call.
    """

    def __new__(cls, compiled: CompiledGrammar) -> Matcher:
        """Stand at the start of an output. Raises LimitError where a limit is reached at once."""

    @property
    def num_tokens(self) -> int:
        """How many accepts could be taken back."""

    def accept_token(self, token_id: int) -> bool:
        """Read one token. False: the grammar does not allow it, and nothing changed.

        Raises MatcherStateError (`terminated`, `token_out_of_range`), LimitError.
        """

    def accept_tokens(self, token_ids: Iterable[int]) -> int:
        """Read tokens up to the first that is refused, or to a stop token; return how many were taken.

        Raises as `accept_token`; then none was taken.
        """

    def accept_bytes(self, data: bytes) -> bool:
        """Read bytes, which need not end at a token's border, as one accept for `rollback`. False changes nothing.

        Raises MatcherStateError (`terminated`), LimitError.
        """

    def validate_tokens(self, token_ids: Iterable[int]) -> int:
        """Return how many of the tokens could be read one after the other; the state stays. 0 after a stop token.

        Raises MatcherStateError (`token_out_of_range`), LimitError.
        """

    def fill_next_token_bitmask(self, bitmask: _Bitmask, row: int = 0) -> bool:
        """Write the allowed tokens into row `row` of `bitmask`: int32 [rows, ceil(vocab_size / 32)], bit 1 = allowed.

        Token t is bit t % 32 of word t // 32. Every word of the row is written. False: all ids are allowed, so nothing needs
        to be masked. Raises MatcherStateError (`bitmask_shape`, `terminated`), LimitError; the row is then of no use.
        Cost: about a microsecond for a mask that was made before, without a lock on the grammar after `accept_token`, which
        looked it up; the GIL is released while a new one is made.
        """

    def fill_draft_tree_bitmask(self, bitmask: Any, tree: DraftTree, row: int = 0) -> None:
        """Write one row for each node of a draft tree, from row `row` on: what may follow the path to that node.

        Node 0 is the last token and has been accepted. The row of a node that the grammar refuses, or that ends the output,
        allows nothing. Raises MatcherStateError where the bitmask has too few rows. The state stays.
        """

    def prune(self, tree: DraftTree, budget: int) -> DraftTree:
        """Return the legal nodes of a draft tree, best first, at most `budget` besides node 0; the state stays.

        Node 0 is the last token of the output and counts as read. After a stop token only node 0 is left.
        Cost: one accept for each node whose parent is legal, until the budget is spent.
        """

    def rollback(self, num_tokens: int) -> None:
        """Take back the last `num_tokens` accepts. Raises MatcherStateError (`rollback_too_far`). Cost: linear in them."""

    def fork(self) -> Matcher:
        """Return a second matcher in the same state, independent from here on. Cost: constant."""

    def reset(self) -> None:
        """Go back to the start of the output."""

    def is_accepting(self) -> bool:
        """Return whether the output may end here."""

    def is_terminated(self) -> bool:
        """Return whether a stop token was accepted."""

    def jump_forward_bytes(self, *, canonical: bool = False) -> bytes:
        """Return the longest text that every completion starts with; it may end inside a character.

        `canonical`: where only spelling is free (whitespace, escapes), the usual spelling: a guess, for drafts only.
        Raises LimitError. Cost: linear in the answer.
        """

    def jump_forward_tokens(self, *, canonical: bool = False) -> list[int]:
        """Return tokens that spell the beginning of `jump_forward_bytes`, up to where a longer token could run past its end.

        Raises LimitError. Cost: linear in the bytes.
        """

    def captures(self) -> list[tuple[str, bytes]]:
        """Return the texts of the rules with the option `capture`, each with its name, in the order of their ends, inner first.

        Where the output can be read in several ways, at each place a called rule comes before plain text, and of several ends
        the last counts. A rule that read nothing is left out. Raises MatcherStateError (`not_complete`), LimitError.
        Cost: the whole output is read again.
        """

    def temperature(self) -> float | None:
        """Return the temperature that the innermost rule around this place asks for (option `temperature`); None: no rule does.

        Where the output can be read in several ways the highest counts. Cost: linear in what is open.
        """

    def shortest_completion_bytes(self) -> bytes:
        """Return a short text that completes the output; empty where it is complete. Raises LimitError."""

def accept_next_tokens(matchers: Sequence[Matcher], token_ids: _Ids) -> list[bool | PenstockError]:
    """Read `token_ids[i]` by `matchers[i]`, in one call for a batch.

    Rows are independent: the answer holds, for each matcher, what its `accept_token` would have returned, or the error that
    it would have raised. Raises ValueError for lists of different length, RuntimeError for a matcher named twice or in use.
    """

def fill_next_token_bitmasks(
    matchers: Sequence[Matcher], bitmask: _Bitmask, rows: _Ids | None = None
) -> list[bool | PenstockError]:
    """Fill row `rows[i]` of `bitmask` (default `i`) for `matchers[i]`, in one call for a batch.

    Masks that must be made, and rows of more than 8 MiB together, are spread over native threads, one grammar each; they
    start at the first need and again in a forked child.

    Rows are independent: the answer holds, for each matcher, what its `fill_next_token_bitmask` would have returned, or the
    error that it would have raised. Raises ValueError for rows that are too few, outside the bitmask or named twice,
    MatcherStateError (`bitmask_shape`) for an unusable array, RuntimeError for a matcher named twice or in use.
    """

def mask_logit_rows(logits: NDArray[Any], bitmask: NDArray[Any], infinity: int, rows: Sequence[int] | None = None) -> None:
    """Set the logits that `bitmask` does not allow to the bits of minus infinity, in place.

    logits: uint16, uint32 or uint64 `[num_rows, num_logits]`, a view of the floats; rows may lie apart. bitmask: int32
    `[num_rows, num_words]`, contiguous. rows: those to mask, by default all. Raises ValueError for other shapes and sizes;
    `penstock.apply_token_bitmask_inplace` is the door for users.
    """

@final
class DraftTree:
    """Proposed continuations of one text, as a tree. Immutable, hashable, picklable.

    Node 0 is the last committed token and its parent is -1; parents come before their children, best nodes first, so that
    every beginning of the arrays is a tree. A budget never counts node 0.
    """

    def __new__(
        cls,
        token_ids: _Ids,
        parents: _Ids,
        *,
        logprobs: Sequence[float] | NDArray[np.floating[Any]] | None = None,
        sources: _Ids | None = None,
    ) -> DraftTree:
        """Check and keep the arrays, each of length num_nodes; ids and parents are 32-bit.

        `logprobs`: natural logarithm of the drafter's belief in each node given its parent. `sources`: for each node a number
        from 0 to 255 that says where it came from; `RetrievalIndex` writes 0 for node 0, 1 for the request's own text, 2 for
        outputs of others, 3 for frequent tokens. Raises ValueError where the arrays are no tree, LimitError
        (`draft_tree_too_large`) above 16,384 nodes, OverflowError for numbers out of range. Cost: linear.
        """

    @property
    def token_ids(self) -> list[int]:
        """The token of each node."""

    @property
    def parents(self) -> list[int]:
        """The parent of each node; -1 at node 0."""

    @property
    def logprobs(self) -> list[float] | None:
        """Natural logarithm of the belief in each node given its parent, in float32; None if unknown."""

    @property
    def sources(self) -> list[int] | None:
        """Where each node came from; None if unknown."""

    @property
    def num_nodes(self) -> int:
        """Number of nodes, node 0 included; `len(tree)` is the same."""

    def tolist(self) -> tuple[list[int], list[int]]:
        """Return (token_ids, parents). Cost: O(num_nodes)."""

    def child(self, node: int, token_id: int) -> int | None:
        """Return the child of `node` that carries `token_id`, or None. Raises IndexError for a node outside the tree."""

    def children(self, node: int) -> list[int]:
        """Return the children of `node`, best first. Raises IndexError for a node outside the tree."""

    def path(self, node: int) -> list[int]:
        """Return the nodes from node 0 to `node`, both included. Raises IndexError for a node outside the tree."""

    def depths(self) -> list[int]:
        """Return the distance of each node from node 0."""

    def attention_mask(self) -> NDArray[np.bool_]:
        """Return a bool array [num_nodes, num_nodes]: row i holds which nodes node i sees, itself and its ancestors."""

    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RetrievalIndex:
    """Drafts by retrieval: what followed the last tokens before is proposed again, in this text or in finished ones.

    Thread-safe; many requests share one index. Prompts are never shared, outputs only within a namespace.
    """

    def __new__(
        cls,
        *,
        max_size_bytes: int | None = None,
        max_places: int | None = None,
        other_weight: float | None = None,
        strength: float | None = None,
        exponent: float | None = None,
        knee: float | None = None,
        frequent_share: float | None = None,
        floor: float | None = None,
    ) -> RetrievalIndex:
        """Make an empty index. None takes the default of a number, which serves code, chat and JSON alike.

        `max_size_bytes` (256 MiB) bounds everything that is held: the oldest finished outputs are evicted first, and a running
        text that no longer fits drafts nothing. The other numbers blend the lengths of matches: `max_places` (32) earlier
        places looked at for a length, `other_weight` (0.4) of outputs of others beside the text itself, `strength` (3),
        `exponent` (0.8) and `knee` (14) of the trust in a match by its length, `frequent_share` (0.3) for frequent tokens,
        `floor` (1e-6) below which nothing is proposed. Raises ValueError for numbers out of range.
        """

    @property
    def size_bytes(self) -> int:
        """Upper estimate of what running and finished requests hold."""

    @property
    def num_outputs(self) -> int:
        """Number of finished outputs that are searchable."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens in the finished outputs."""

    def start(self, prompt_ids: _Ids, *, share: bool = True, namespace: str = "") -> RetrievalRequest:
        """Begin a text; return its session, a context manager.

        Its output, never its prompt, becomes searchable for others of the same namespace when it finishes, unless `share` is
        False. Drafts reveal by their speed what others wrote: keep tenants in namespaces of their own.
        Raises LimitError, ValueError for a negative id. Cost: linear in the prompt; long ones are read without the GIL.
        """

    def insert(self, token_ids: _Ids, *, namespace: str = "") -> int:
        """Add an output that was written elsewhere, to warm up; return the id to remove it by. Cost: linear."""

    def remove(self, request_id: int) -> bool:
        """Remove a finished output without a trace; return whether there was one. Cost: linear in it."""

    def clear(self) -> None:
        """Remove all finished outputs. Running requests keep their own text."""

    def to_bytes(self, *, fingerprint: int = 0) -> bytes:
        """Return the finished outputs, for `restore`. `fingerprint`: 64 bits for the vocabulary that the ids belong to."""

    def restore(self, data: bytes, *, fingerprint: int = 0) -> int:
        """Add the outputs of `to_bytes`; return how many there were. Nothing is executed; all is added, or nothing.

        Raises PenstockError (`snapshot_refused`) for foreign, damaged or newer data and for another fingerprint.
        """

@final
class RetrievalRequest:
    """The session of one text, made by `RetrievalIndex.start`; a second thread waits for the first."""

    @property
    def id(self) -> int:
        """Names the request, and its output once it is finished (`RetrievalIndex.remove`)."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens, prompt and output, that are searchable."""

    def extend(self, token_ids: _Ids) -> None:
        """Append committed tokens; they are searchable at once.

        Raises RuntimeError when finished, ValueError for a negative id, LimitError. Cost: below a microsecond a token.
        """

    def propose(
        self,
        budget: int,
        *,
        width_cost: float | None = None,
        setup_cost: float = 0.0,
        floor: float = 0.0,
        noise: _Noise | None = None,
    ) -> DraftTree:
        """Return the most probable continuations: at most `budget` nodes besides node 0, best first.

        `width_cost` a, `setup_cost` b: the budget is a ceiling, and the tree is the one that pays best when a forward over
        `width` drafted nodes costs 1 + b + a * width plain ones; none where nothing pays. `floor`: nodes less likely than that
        are left out. `noise`: the sampler's, for texts sampled at a temperature near 1.
        Raises LimitError above 4,096 nodes, RuntimeError when finished, ValueError before the first token. Cost: O(budget).
        """

    def finish(self) -> None:
        """End the request; its output becomes searchable for others if it shares. Calling it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_error: object) -> None:
        """Finish, also after an exception."""

@final
class Chooser:
    """Chooses the tokens of one text: mask, truncation and keyed noise in one call. `decoding/sampling.py` asks it."""

    def __new__(
        cls,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        seed: int = 0,
        sample: int = 0,
    ) -> Chooser:
        """Take parameters as `Sampling` has them; seed and sample from 0 to 2**64 - 1. Raises ValueError for others."""

    def choose(
        self,
        logits: NDArray[np.float32],
        bitmask: NDArray[np.int32] | None,
        output_index: int,
        temperature: float | None = None,
    ) -> int:
        """Return the token of one row. logits: float32 [vocab], contiguous; ids beyond the bitmask are not allowed.

        bitmask: int32 [words], None where nothing is masked. temperature: for this token alone. Cost: 2 us and a pass over the
        row. Raises DeadEndError where no token is left, GenerationError (`logits_not_finite`) for a NaN of an allowed token,
        ValueError for an array of another type.
        """

    def choose_along(self, logits: NDArray[np.float32], token_ids: _Ids, parents: _Ids, output_index: int) -> list[int]:
        """Return the tokens along a draft tree: behind node 0, then behind the child that carries each, until none does.

        logits: float32 [nodes, vocab]. Node 0 is followed by position `output_index`. Raises as `choose` for node 0; a later
        node without a choice ends the walk before it.
        """

@final
class TrieStore:
    """The trie of the Lookahead paper (arXiv 2312.12728), for comparison; `RetrievalIndex` drafts better. Thread-safe."""

    def __new__(
        cls,
        *,
        branch_length: int = 12,
        max_query_length: int = 2,
        mode: str = "hierarchical",
        source: str = "mix",
        output_weight: float = 1e-4,
        stop_token_ids: _Ids = ...,
        max_nodes: int = ...,
    ) -> TrieStore:
        """Make an empty store of branches of at most `branch_length` tokens.

        `max_query_length`: the most last tokens that are looked up. `mode`: "hierarchical" (branches share prefixes),
        "parallel" (each branch is paid for in full) or "one_branch". `source`: "mix", "prompt" or "output" frequencies;
        `output_weight`: what an occurrence in an output weighs beside one in the prompt. `stop_token_ids` (none): a query of
        one token does not start from these. `max_nodes` (2**20) bounds the shared trie. Raises ValueError.
        """

    @property
    def num_nodes(self) -> int:
        """Number of shared nodes."""

    def start(self, prompt_ids: _Ids, *, share: bool = True) -> TrieRequest:
        """Begin a text; return its session, a context manager. Cost: linear in the prompt, times `branch_length`."""

    def insert(self, token_ids: _Ids) -> None:
        """Add the branches of an output that was written elsewhere. Cost: linear in it, times `branch_length`."""

@final
class TrieRequest:
    """The session of one text, made by `TrieStore.start`; a second thread waits for the first."""

    def extend(self, token_ids: _Ids) -> None:
        """Append committed tokens; their branches are searchable at once. Raises RuntimeError when finished."""

    def propose(self, budget: int) -> DraftTree:
        """Return the branches behind the last tokens: at most `budget` nodes besides node 0, the paper's decoding length.

        Raises LimitError above 4,096 nodes, RuntimeError when finished, ValueError before the first token.
        """

    def finish(self) -> None:
        """End the request: its prompt branches go, its output branches are shared if it shares."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_error: object) -> None:
        """Finish, also after an exception."""
