//! What the newest answer of a story waited for.

use std::time::Duration;

use crate::slow::{PathStep, SpentOn, call_time, stretches, took};
use crate::story::{Step, Story};

/// Agents that the path goes down through at most.
const DEPTH_MAX: u32 = 32;

/// From the newest request of the session to its last event, back from there: what came last
/// of what ran at once is what was waited for.
pub(crate) fn path(story: &Story) -> Vec<PathStep> {
    let mut steps = Vec::new();
    let Some(&last) = story.agents[0].parts.last() else { return steps };
    let turn = story.parts[last as usize].turn;
    follow(story, 0, last, Some(turn), 0, &mut steps);
    steps.reverse();
    steps
}

/// Adds what an agent did up to a part, the newest first.
fn follow(
    story: &Story,
    agent: u32,
    last: u32,
    turn: Option<u32>,
    depth: u32,
    steps: &mut Vec<PathStep>,
) {
    let parts = &story.agents[agent as usize].parts;
    let on_user: Vec<i64> = stretches(story, agent)
        .into_iter()
        .filter(|stretch| stretch.on == SpentOn::User)
        .map(|stretch| stretch.from_ns)
        .collect();
    let mut place = story.parts[last as usize].place as usize;
    while place > 0 {
        let at = parts[place];
        let part = &story.parts[at as usize];
        if turn.is_some_and(|turn| part.turn != turn)
            || turn.is_some() && part.step == Step::Request
        {
            break;
        }
        let call = match part.step {
            Step::Result(result) => story.results[result as usize].call,
            _ => None,
        };
        let same_agent = |call: &u32| {
            let part = &story.parts[story.calls[*call as usize].part as usize];
            part.agent == agent && (part.place as usize) < place
        };
        let (from, tool) = match call.filter(same_agent) {
            Some(call) => {
                let call = &story.calls[call as usize];
                (story.parts[call.part as usize].place as usize, Some(call.tool.clone()))
            }
            None => (place - 1, None),
        };
        let from_ns = story.time_of(parts[from]);
        let ns = story.time_of(at).saturating_sub(from_ns);
        let passed = Duration::from_nanos(u64::try_from(ns).unwrap_or_default());
        // One rule of what a call took, here as where calls are listed.
        let of_call = call.filter(|_| tool.is_some()).and_then(|call| took(story, call));
        let on = match (&tool, call) {
            (Some(_), Some(call)) if call_time(story, call).is_some() => SpentOn::Tools,
            (Some(_), _) => SpentOn::User,
            (None, _) if on_user.binary_search(&from_ns).is_ok() => SpentOn::User,
            (None, _) => SpentOn::Model,
        };
        let told = story.is_time_told(at) && story.is_time_told(parts[from]);
        // What an agent did stands in place of the call that it was started by.
        let agent_of = tool.is_some().then(|| spawned_by(story, agent, parts[from])).flatten();
        match agent_of.filter(|_| depth < DEPTH_MAX) {
            Some(below) => {
                if let Some(&last) = story.agents[below as usize].parts.last() {
                    follow(story, below, last, None, depth + 1, steps);
                }
            }
            None if told && ns > 0 => steps.push(PathStep {
                event: story.id_of(at).clone(),
                from_ns,
                took: of_call.unwrap_or(passed),
                on,
                instance: story.agents[agent as usize].instance.clone(),
                tool,
                depth,
            }),
            None => {}
        }
        place = from;
    }
}

/// The agent that a call started and that ended last.
fn spawned_by(story: &Story, agent: u32, call: u32) -> Option<u32> {
    let event = story.parts[call as usize].event;
    story.started_by(agent, event).max_by_key(|at| story.agents[*at as usize].parts.last().copied())
}
