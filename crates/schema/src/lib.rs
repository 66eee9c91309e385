//! JSON Schema as a machine that reads a JSON value once, event by event, and ends with a verdict.
//!
//! [`SchemaMachine::lower`] turns a schema into an [`AskId`], what is asked of a value. Who reads a document opens values with
//! it ([`SchemaMachine::open_object`], [`SchemaMachine::string`], ...), feeds open containers ([`SchemaMachine::take`],
//! [`SchemaMachine::next_item`]) and closes them ([`SchemaMachine::close`]). Every answer is exact about the whole document: a
//! kind, a name or an item is offered only if some completion of everything that is open exists. The bytes of strings,
//! numbers and whitespace are the caller's matter.
//!
//! Read next: `machine.rs` (ids, doors), `formula/` (what is left of a schema), `child.rs` (goals), `search/` (liveness),
//! `lowering/` (keywords).
mod arrays;
mod child;
mod classes;
mod conflict;
mod error;
mod formula;
mod identity;
mod items;
mod kinds;
mod limits;
mod lowering;
mod machine;
mod metaschemas;
mod names;
pub mod number;
mod objects;
mod options;
mod scalars;
mod search;
mod sets;
mod texts;
mod texts_of;
mod value_text;
mod witness;

pub use error::{pointer_step, Entry, ErrorKind, Problem, Report, SchemaError};
pub use identity::ValueId;
pub use kinds::Kinds;
pub use limits::Limits;
pub use lowering::Lowered;
pub use machine::{AskId, Item, Member, Names, NamesId, Next, RecordId, SchemaMachine, StringAsk, Verdicts};
pub use names::{NameId, SeenId, Shape, ShapeId};
pub use options::{Draft, FormatMode, PropertyOrder, SchemaOptions};
pub use penstock_automata::Limit;
