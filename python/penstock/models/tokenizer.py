"""One face for all tokenizers: text to ids, ids to bytes, messages to a prompt.

Output is put together from the bytes of its tokens, never by `decode`: bytes are what a grammar sees, they can be
streamed, and the first token of an output is in mid-text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.errors import TokenizerError
from penstock.tokenizer import Vocabulary

__all__ = ["Tokenizer"]


class Tokenizer:
    """encode: (text, with special tokens) -> ids. apply_chat_template: messages -> ids; None: the model has no template."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        encode: Callable[[str, bool], Sequence[int]],
        apply_chat_template: Callable[[Sequence[Mapping[str, Any]]], Sequence[int]] | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self._encode = encode
        self._apply_chat_template = apply_chat_template
        self._special = frozenset(vocabulary.special_token_ids)

    @classmethod
    def from_transformers(cls, tokenizer: Any, vocabulary: Vocabulary) -> Tokenizer:
        """Wrap a tokenizer of transformers."""

        def encode(text: str, special: bool) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=special))

        def template(messages: Sequence[Mapping[str, Any]]) -> list[int]:
            text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
            return encode(text, False)

        return cls(vocabulary, encode, template if getattr(tokenizer, "chat_template", None) else None)

    @classmethod
    def from_tokenizers(cls, tokenizer: Any, vocabulary: Vocabulary, chat_template: str | None = None) -> Tokenizer:
        """Wrap a `tokenizers.Tokenizer`. chat_template: Jinja text, rendered with jinja2 when a conversation comes."""

        def encode(text: str, special: bool) -> Sequence[int]:
            return list(tokenizer.encode(text, add_special_tokens=special).ids)

        def template(messages: Sequence[Mapping[str, Any]]) -> Sequence[int]:
            from jinja2.sandbox import ImmutableSandboxedEnvironment

            rendered = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(chat_template or "")
            return encode(rendered.render(messages=list(messages), add_generation_prompt=True), False)

        return cls(vocabulary, encode, template if chat_template else None)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Return the ids of a text."""
        return [int(token) for token in self._encode(text, add_special_tokens)]

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the ids of a conversation, ready for the model's turn. Raises TokenizerError without a template."""
        if self._apply_chat_template is None:
            raise TokenizerError("the tokenizer has no chat template; give the prompt as a text or as token ids")
        return [int(token) for token in self._apply_chat_template(messages)]

    def token_bytes(self, token_id: int) -> bytes:
        """Return what a token adds to a text; special tokens and padding add nothing."""
        if token_id in self._special or token_id >= len(self.vocabulary.vocab):
            return b""
        return self.vocabulary.vocab[token_id]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the text that tokens in mid-text stand for; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.token_bytes, token_ids)).decode("utf-8", errors="replace")
