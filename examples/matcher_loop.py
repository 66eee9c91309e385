"""The loop of an engine author, without a model: fill a mask, pick an allowed token, accept it, until a stop token comes.

    python examples/matcher_loop.py

The "model" is a random number generator: whatever it picks, the text is in the language.
"""

import numpy as np
import penstock

words = [bytes([byte]) for byte in range(256)] + [b"yes", b"no", b"es", b", ", b", no"]
stop = len(words)
info = penstock.TokenizerInfo([*words, b""], stop_token_ids=[stop], special_token_ids=[stop])
compiled = penstock.GrammarCompiler(info).compile_regex("(yes|no)(, (yes|no)){0,3}")

matcher = penstock.Matcher(compiled)
bitmask = penstock.allocate_token_bitmask(1, info.vocab_size)
random, output = np.random.default_rng(7), []
while not matcher.is_terminated():
    logits = random.standard_normal((1, info.vocab_size)).astype(np.float32)
    matcher.fill_next_token_bitmask(bitmask)
    penstock.apply_token_bitmask_inplace(logits, bitmask)
    token = int(logits[0].argmax())
    assert matcher.accept_token(token)
    output.append(token)
print(b"".join(words[token] for token in output if token != stop).decode())
