//! Why a batch has to stay fixed.

/// Why [`make_batch_symbolic`](super::make_batch_symbolic) refused a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// There is nothing to change.
    #[error("the model has no graph")]
    NoGraph,
    /// The inputs have no batch in common.
    #[error(
        "the batch cannot be made symbolic: the inputs are {inputs}; expected one and the same \
         fixed first dimension; export the model again with a dynamic batch dimension"
    )]
    Inputs {
        /// Names, types and shapes.
        inputs: String,
    },
    /// An operator may mix the frames of a batch, or is fixed to one size of it.
    #[error(
        "the batch cannot be made symbolic: {node} {problem}; export the model again with a dynamic \
         batch dimension"
    )]
    Node {
        /// Operator and name.
        node: String,
        /// What it does with the batch.
        problem: String,
    },
    /// A node reads what nothing before it makes: a missing tensor, a cycle, nodes out of order.
    #[error(
        "{node} reads \"{value}\", which no input, constant or earlier node makes; expected nodes \
         after those whose outputs they read"
    )]
    Undefined {
        /// Operator and name, or the graph.
        node: String,
        /// Name of the value.
        value: String,
    },
    /// There would be one result for all frames.
    #[error(
        "the batch cannot be made symbolic: the output \"{output}\" does not depend on the inputs"
    )]
    Output {
        /// Name of the output.
        output: String,
    },
}
