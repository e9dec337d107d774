//! Why a call hits or misses, as Python sees it.

use ndcache::explain::{Explanation, Reason};
use pyo3::prelude::*;

/// Why a call would hit or miss. `str()` is a short phrase.
#[pyclass(frozen, name = "Explanation", module = "ndcache._core")]
pub(crate) struct CoreExplanation {
    #[pyo3(get)]
    is_hit: bool,
    /// A short name: `hit`, `new function`, `code`, `argument`, `expired`, …
    #[pyo3(get)]
    reason: String,
    #[pyo3(get)]
    text: String,
    /// Arguments that differ from those of the nearest stored call: name, path in the value, text then, text now.
    #[pyo3(get)]
    changes: Vec<(String, String, String, String)>,
    /// The parts of the code that differ, in words.
    #[pyo3(get)]
    code: Vec<String>,
}

impl CoreExplanation {
    pub(crate) fn of(explanation: &Explanation) -> Self {
        let reason = explanation.reason();
        let (mut changes, mut code) = (Vec::new(), Vec::new());
        match &reason {
            Reason::Argument(differences) => {
                changes = differences
                    .iter()
                    .map(|one| (one.name.clone(), one.path.clone(), one.before.clone(), one.now.clone()))
                    .collect();
            }
            Reason::Code(parts) => code.clone_from(parts),
            _ => {}
        }
        Self {
            is_hit: matches!(reason, Reason::Hit),
            reason: reason.name().to_owned(),
            text: explanation.to_string(),
            changes,
            code,
        }
    }

    /// The explanation of a call that can't be keyed.
    pub(crate) fn bypassed(why: &str) -> Self {
        Self {
            is_hit: false,
            reason: "bypassed".to_owned(),
            text: format!("bypassed: {why}"),
            changes: Vec::new(),
            code: Vec::new(),
        }
    }
}

#[pymethods]
impl CoreExplanation {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("Explanation({})", self.text)
    }
}
