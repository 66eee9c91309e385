//! The named limits of the machine.
use penstock_automata::Limit;

/// Named limits: reaching one is an error that names it, never a weaker answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes that one question about liveness may look at.
    pub max_emptiness_states: u32,
    /// The deepest formula: how far in-place applicators and references may nest within one value.
    pub max_formula_depth: u32,
    /// Schemas that may be asked of one value beside what it must satisfy; at most 64.
    pub max_verdict_width: u32,
    /// Open containers whose verdicts may be searched together.
    pub max_joint_depth: u32,
    /// Classes of member names (which patterns they match) of one object, and of verdicts of one scalar.
    pub max_name_classes: u32,
    /// Items or members that a witness may have to spell one by one.
    pub max_witness_size: u32,
    /// JSON nesting of a schema.
    pub max_schema_nesting: u32,
    /// Schemas (JSON objects and booleans at a schema's place) of one document, references followed.
    pub max_schema_nodes: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_emptiness_states: 200_000,
            max_formula_depth: 600,
            max_verdict_width: 64,
            max_joint_depth: 32,
            max_name_classes: 4_096,
            max_witness_size: 20_000,
            max_schema_nesting: 512,
            max_schema_nodes: 1_000_000,
        }
    }
}

impl Limits {
    pub(crate) fn error(&self, name: &'static str) -> Limit {
        let configured = match name {
            "max_emptiness_states" => self.max_emptiness_states,
            "max_formula_depth" => self.max_formula_depth,
            "max_verdict_width" => self.max_verdict_width,
            "max_joint_depth" => self.max_joint_depth,
            "max_name_classes" => self.max_name_classes,
            "max_witness_size" => self.max_witness_size,
            "max_schema_nesting" => self.max_schema_nesting,
            _ => self.max_schema_nodes,
        };
        Limit {
            name,
            configured: u64::from(configured),
        }
    }
}
