//! `ndcache tier doctor`: whether tiers do what they are used for.

use ndcache::Memory;
use ndcache::tier::{Access, ProbeStep, TierProbe};
use serde_json::{Value as Json, json};

use crate::commands::tier;
use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::text::{duration, nanoseconds, safe};

pub(super) fn run(memory: &Memory, out: &mut Out) -> Outcome {
    let probes = memory.probe_tiers();
    let is_fine = probes.iter().all(TierProbe::is_fine);
    if out.is_json() {
        let tiers: Vec<_> = probes.iter().map(document).collect();
        out.document(json!({ "tiers": tiers }))?;
    } else {
        for probe in &probes {
            tell(probe, out)?;
        }
    }
    Ok(if is_fine { Exit::Fine } else { Exit::Found })
}

/// `/nfs/team/cache: read-only, works`, and a line for each step.
fn tell(probe: &TierProbe, out: &mut Out) -> Outcome<()> {
    let access = if probe.access == Access::ReadWrite { "read-write" } else { "read-only" };
    let works = if probe.is_fine() { "works" } else { "doesn't work" };
    out.line(format!("{}: {access}, {works}", safe(&probe.place)))?;
    for step in &probe.steps {
        let outcome = match &step.trouble {
            None => format!("as it should, in {}", duration(step.took)),
            Some(trouble) => format!("{}: {}; {}", trouble.class, safe(&trouble.cause), safe(&trouble.remedy)),
        };
        out.line(format!("  {:<8}  {outcome}", step.name))?;
    }
    Ok(())
}

fn document(probe: &TierProbe) -> Json {
    let wrong = || probe.steps.iter().rev().find_map(|step| step.trouble.as_ref());
    let problem = if probe.is_fine() { None } else { wrong().map(ToString::to_string) };
    let answered = probe.steps.first().filter(|step| step.trouble.is_none());
    json!({
        "place": probe.place,
        "writes": probe.access == Access::ReadWrite,
        "answered_ns": answered.map(|step| nanoseconds(step.took)),
        "problem": problem,
        "steps": probe.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &ProbeStep) -> Json {
    let trouble = step.trouble.as_ref().map(tier::document);
    json!({ "name": step.name, "took_ns": nanoseconds(step.took), "trouble": trouble })
}
