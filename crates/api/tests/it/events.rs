//! The stream of what is new.

use axum::Router;
use serde_json::Value;

use crate::ask::{ask, face, get};
use crate::world::World;

struct Told {
    name: String,
    id: String,
    data: Value,
}

async fn events(face: &Router, path: &str, seen: &str) -> Vec<Told> {
    let answer = ask(face, "GET", path, &[("last-event-id", seen)], Vec::new()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let told = |block: &str| {
        let data = serde_json::from_str(&field(block, "data")?).unwrap();
        Some(Told { name: field(block, "event")?, id: field(block, "id")?, data })
    };
    answer.text().split("\n\n").filter_map(told).collect()
}

fn ids(told: &[Told]) -> Vec<&str> {
    told.iter().map(|event| event.id.as_str()).collect()
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_last_event_that_was_seen() {
    let world = World::new();
    let face = face(&world);
    let first = world.publish("a.example").to_string();
    let second = world.publish("b.example").to_string();
    let all = events(&face, "/v1/events?from=0", "").await;
    assert_eq!(ids(&all), ["0:0", "1:0", "1:1", "2:0", "2:1"]);
    let names: Vec<&str> = all.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["block", "certificate", "block", "certificate", "block"]);
    assert_eq!(all[1].data["certificate"], first.as_str());
    assert_eq!((&all[1].data["event"], &all[1].data["height"]), (&"published".into(), &1.into()));
    assert_eq!(
        (&all[4].data["height"], &all[4].data["transactions"], &all[4].data["events"]),
        (&2.into(), &1.into(), &1.into())
    );

    for (seen, rest) in [
        ("0:0", vec!["1:0", "1:1", "2:0", "2:1"]),
        ("1:0", vec!["1:1", "2:0", "2:1"]),
        ("1:1", vec!["2:0", "2:1"]),
        ("2:1", vec![]),
    ] {
        assert_eq!(ids(&events(&face, "/v1/events", seen).await), rest, "after {seen}");
    }
    assert_eq!(ids(&events(&face, "/v1/events", "").await), [""; 0], "only what comes next");

    assert_eq!(ids(&events(&face, "/v1/events?from=0&lane=certificate", "").await), ["1:0", "2:0"]);
    assert_eq!(ids(&events(&face, "/v1/events?from=0&lane=intel", "").await), [""; 0]);
    let of_one = format!("/v1/events?from=0&certificate={second}");
    assert_eq!(ids(&events(&face, &of_one, "").await), ["2:0"]);
    assert_eq!(ids(&events(&face, &format!("{of_one}&blocks=true"), "1:0").await), ["1:1", "2:0", "2:1"]);
}

#[tokio::test]
async fn streams_that_cannot_be_had_are_problems() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    world.prune_below(1);
    for (path, seen, status, code) in [
        ("/v1/events", "7", 400, "malformed-request"),
        ("/v1/events?lane=nowhere", "", 400, "malformed-query"),
        ("/v1/events?from=x", "", 400, "malformed-query"),
        ("/v1/events", "0:0", 410, "events-gone"),
    ] {
        let answer = ask(&face, "GET", path, &[("last-event-id", seen)], Vec::new()).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (status, code), "{path}");
    }
    let config = tabellion_api::FaceConfig { streams_max: 0, ..Default::default() };
    let answer = get(&tabellion_api::router(world, config), "/v1/events").await;
    assert_eq!((answer.problem().code.as_str(), answer.header("retry-after")), ("overloaded", "5"));
}
