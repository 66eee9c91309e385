//! Sets of tokens, by id or by text, and what is built of them.
use crate::ast::{Expr, ExprId, GrammarBuilder, RuleId};

/// Tokens by id and by text; which ids the texts have is known once there is a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenNames {
    /// Ids.
    pub ids: Vec<u32>,
    /// Texts.
    pub texts: Vec<String>,
}

impl TokenNames {
    /// Adds a token by its id, or by its text.
    pub fn add(&mut self, token: Result<u32, String>) {
        match token {
            Ok(id) => self.ids.push(id),
            Err(text) => self.texts.push(text),
        }
    }

    /// One token that is in the set; no text at all matches where the set is empty.
    pub fn one_of(mut self, builder: &mut GrammarBuilder) -> ExprId {
        self.sort();
        let mut ways: Vec<ExprId> = Vec::new();
        if !self.ids.is_empty() {
            ways.push(builder.add(Expr::Token(self.ids)));
        }
        ways.extend(self.texts.into_iter().map(|text| builder.add(Expr::TokenText(text))));
        builder.choice(ways)
    }

    /// One token that is not in the set.
    pub fn none_of(mut self, builder: &mut GrammarBuilder) -> ExprId {
        self.sort();
        let TokenNames { ids, texts } = self;
        builder.add(match texts.is_empty() {
            true => Expr::ExcludeToken(ids),
            false => Expr::ExcludeNamed { ids, texts },
        })
    }

    fn sort(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.texts.sort_unstable();
        self.texts.dedup();
    }
}

/// Any tokens until a trigger, then that trigger's rule; `looped`: and again from the start.
pub fn token_dispatch(
    builder: &mut GrammarBuilder,
    triggers: &[(Result<u32, String>, RuleId)],
    mut excludes: TokenNames,
    looped: bool,
) -> ExprId {
    let mut calls = Vec::new();
    for (token, rule) in triggers {
        excludes.add(token.clone());
        let mut trigger = TokenNames::default();
        trigger.add(token.clone());
        let parts = vec![trigger.one_of(builder), builder.add(Expr::Rule(*rule))];
        calls.push(builder.sequence(parts));
    }
    let free = excludes.none_of(builder);
    if looped {
        calls.insert(0, free);
        let one = builder.choice(calls);
        return builder.star(one);
    }
    let free = builder.star(free);
    let call = builder.choice(calls);
    let maybe = builder.repeat(call, 0, 1);
    builder.sequence(vec![free, maybe])
}
