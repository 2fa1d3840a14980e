use control::{Kind, find};
use model::{NodeId, ServiceId};
use store::View;
use testkit::notation;

fn view() -> View {
    notation::parse(
        "node w1 | node w2 | node twin1 | node twin2 | net back | web : 1→w1 running | webby : 1→w2 running",
    )
}

#[test]
fn names_ids_and_beginnings_of_ids_find_their_object() {
    let view = view();
    let id = ServiceId::from_bits(notation::bits_of("webby")).to_string();

    for text in ["webby", &id, &id[..id.len() - 1]] {
        assert_eq!(find::service(&view, text).unwrap().spec.name, "webby", "{text}");
    }
    let node = NodeId::from_bits(notation::bits_of("w2")).to_string();
    for text in ["w2", &node] {
        assert_eq!(find::node(&view, text).unwrap().id.to_string(), node, "{text}");
    }
    let network = find::network(&view, "back").unwrap();
    assert_eq!(find::network(&view, &network.id.to_string()).unwrap().spec.name, "back");
    let task = view.tasks().next().unwrap();
    assert_eq!(find::task(&view, &task.id.to_string()).unwrap(), task);
}

#[test]
fn a_whole_name_counts_more_than_the_beginning_of_an_id() {
    let mut view = view();
    let id = ServiceId::from_bits(notation::bits_of("webby")).to_string();
    let mut named = notation::service("other");
    named.spec.name = id[..3].to_owned();
    view.draft(&store::Change::Put(named.into()));

    assert_eq!(find::service(&view, &id[..3]).unwrap().id, ServiceId::from_bits(notation::bits_of("other")));
}

#[test]
fn what_is_ambiguous_or_unknown_is_said() {
    let mut view = view();
    for name in ["twin1", "twin2"] {
        let mut node = notation::node(name);
        node.description.as_mut().unwrap().hostname = "twin".into();
        view.draft(&store::Change::Put(node.into()));
    }
    let common: String = {
        let mut ids = view.tasks().map(|task| task.id.to_string());
        let (one, other) = (ids.next().unwrap(), ids.next().unwrap());
        one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };

    let twins = find::node(&view, "twin").unwrap_err();
    let tasks = find::task(&view, &common).unwrap_err();

    assert_eq!(
        (twins.kind, twins.message.as_str()),
        (Kind::Invalid, "node twin is ambiguous (2 matches found)")
    );
    assert_eq!(tasks.message, format!("task {common} is ambiguous (2 matches found)"));
    let unknown = [
        (find::service(&view, "nope").unwrap_err(), "service nope not found"),
        (find::node(&view, "nope").unwrap_err(), "node nope not found"),
        (find::network(&view, "").unwrap_err(), "network  not found"),
        (find::task(&view, "nope").unwrap_err(), "task nope not found"),
    ];
    for (error, text) in unknown {
        assert_eq!((error.kind, error.message.as_str()), (Kind::NotFound, text));
    }
}
